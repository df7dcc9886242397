"""Homes: the folder of a service that refuses to run as root, if root runs the lakehouse.

Such a service runs as another user without capabilities. That user may not be able to enter the
state folder, for example below /root. So the service's program, data and configuration are in its
home, `/var/lib/tributary/ID`. ID is derived from the path of the state folder. The link `state` in
the home points back to the state folder.

| path in the home | owner, mode | content |
|---|---|---|
| (the home itself) | root, 0710, the user's group | |
| `NAME/` | root, readable by who enters the home | a copy of the part |
| `data/` | the user, 0700 | data; `data/NAME` in the state folder links here |
| other files | the user, 0600 | configuration |

If another user than root runs the lakehouse, there is no home: everything is in the state folder.
"""

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from configuration.errors import ServiceError
from infra.install.parts import fingerprint

HOMES = Path("/var/lib/tributary")
# The service runs as the first of these users that exists on this machine.
USERS = ("postgres", "nobody")
ID_LENGTH = 12


@dataclass(frozen=True)
class Home:
    """One service's home.

    - `folder`: the home itself;
    - `part`: the folder of the service's program in the parts folder;
    - `link`: the link in the state folder that points to the data in the home;
    - `user`: the user that the service runs as.
    """

    folder: Path
    part: Path
    link: Path
    user: pwd.struct_passwd

    @property
    def program(self) -> Path:
        """The folder of the copied program."""
        return self.folder / self.part.name

    @property
    def data(self) -> Path:
        """The folder of the service's data."""
        return self.folder / "data"

    @property
    def owner(self) -> tuple[int, int]:
        """The user's id and group id."""
        return self.user.pw_uid, self.user.pw_gid

    @property
    def prefix(self) -> list[str]:
        """The command prefix that runs a command as the user, without capabilities.

        Raises:
            ServiceError: the program `setpriv` is missing.
        """
        if shutil.which("setpriv") is None:
            raise ServiceError(
                f"{self.part.name} can't run as root, and setpriv, which would run it as"
                f" {self.user.pw_name}, is missing: install util-linux, or run make as another user"
            )
        return [
            "setpriv",
            f"--reuid={self.user.pw_uid}",
            f"--regid={self.user.pw_gid}",
            "--clear-groups",
            "--inh-caps=-all",
            "--ambient-caps=-all",
            "--bounding-set=-all",
            "--no-new-privs",
        ]

    def make(self) -> None:
        """Create the home unless it exists.

        Raises:
            ServiceError: the folder can't be written.
        """
        with self._explain_errors():
            for folder, mode in ((HOMES, 0o711), (self.folder, 0o710)):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)  # mkdir applies the umask
            os.chown(self.folder, 0, self.user.pw_gid)  # besides root only the user may enter
            if not self._state_link.is_symlink():
                self._state_link.symlink_to(self.link.parent.parent)

    def prepare(self) -> None:
        """Bring program and data into the home; the service must not be running.

        Raises:
            ServiceError: the data belong to another user or another state folder, or the home can't
                be written.
        """
        self.make()
        with self._explain_errors():
            self._copy_program()
            self._link_data()
            self._move_data()
            if self.data.exists():
                _change_owner(self.data, self.owner)

    def empty(self, folder: Path) -> None:
        """Replace `folder` by an empty one that belongs to the user."""
        _remove(folder)
        folder.mkdir(mode=0o700)
        os.chown(folder, *self.owner)

    @property
    def _state_link(self) -> Path:
        return self.folder / "state"

    def _copy_program(self) -> None:
        """Copy the part, unless the copy is up to date."""
        stamp = ".made-from"
        copied = self.program / stamp
        if copied.exists() and copied.read_text() == (self.part / stamp).read_text():
            return
        fresh = self.program.with_name(f"{self.program.name}.new")
        _remove(fresh)
        shutil.copytree(self.part, fresh, symlinks=True)
        _make_readable(fresh)
        _remove(self.program)
        fresh.rename(self.program)

    def _link_data(self) -> None:
        """Link the state folder to the data in the home.

        If the state folder has no data, the service starts with none. If the state folder itself
        has data (made by another user, or before homes existed), set them aside for `_move_data`.
        """
        if self.link.is_symlink():
            self._check_target()
            return
        if self.link.exists():
            self._check_owner()
            self.link.rename(self._set_aside)
        _remove(self.data)  # left over from a state folder that was removed by hand
        self.link.parent.mkdir(parents=True, exist_ok=True)
        self.link.symlink_to(self.data)

    def _move_data(self) -> None:
        """Move the data that were set aside into the home; repeat a move that was interrupted."""
        if not self._set_aside.exists():
            return
        if not self.data.exists():
            try:
                self._set_aside.rename(self.data)
            except OSError:  # the home is on another file system
                fresh = self.data.with_name("data.new")
                _remove(fresh)
                fresh.mkdir(mode=0o700)  # other users must not read the data during the copy
                shutil.copytree(self._set_aside, fresh, symlinks=True, dirs_exist_ok=True)
                fresh.rename(self.data)
        _remove(self._set_aside)

    @property
    def _set_aside(self) -> Path:
        return self.link.with_name(f"{self.link.name}.moving")

    def _check_target(self) -> None:
        target = self.link.readlink()
        if target != self.data:
            raise ServiceError(
                f"{self.link} points to {target}, not to {self.data}: the checkout was moved or"
                " copied without its data. Move it back, or delete the data with `make clean`"
            )

    def _check_owner(self) -> None:
        uid = self.link.stat().st_uid
        if uid != self.user.pw_uid:
            raise ServiceError(
                f"{self.link} belongs to user {uid}, but root runs make: run it as that user, or"
                f" `chown -R {self.user.pw_name} {self.link}` to let root take it over"
            )

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, shutil.Error) as error:
            raise ServiceError(
                f"{self.part.name} can't run as root, and its home {self.folder} can't be created:"
                f" {error}. Make {HOMES} writable, or run make as another user"
            ) from None


def find_home(state: Path, part: Path) -> Home | None:
    """Return the home of the service whose program is `part`; None unless root runs us."""
    if os.geteuid() != 0:
        return None
    return Home(_home_folder(state), part, state / "data" / part.name, _find_user())


def remove_state(state: Path) -> None:
    """Remove a state folder and its home; none of its services may be running."""
    _remove(state)
    if os.geteuid() == 0:
        _remove(_home_folder(state))
        with suppress(OSError):  # other homes exist, or there never was one
            HOMES.rmdir()


def _home_folder(state: Path) -> Path:
    return HOMES / fingerprint(str(state.resolve()))[:ID_LENGTH]


def _find_user() -> pwd.struct_passwd:
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceError(
        f"root runs make, and none of the users {', '.join(USERS)} exists: add one, or run make as"
        " another user"
    )


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _change_owner(folder: Path, owner: tuple[int, int]) -> None:
    """Change the owner of a folder and of everything in it that has the same owner.

    The folder itself comes last, so an interrupted change is continued at the next call.
    """
    former_uid = folder.stat().st_uid
    if former_uid == owner[0]:
        return
    for path in (*folder.rglob("*"), folder):
        if path.lstat().st_uid == former_uid:
            os.chown(path, *owner, follow_symlinks=False)


def _make_readable(folder: Path) -> None:
    """Do the same as `chmod -R a+rX`."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
