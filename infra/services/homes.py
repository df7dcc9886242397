"""Homes: where a service that refuses root lives while root runs the lakehouse.

Such a service runs as another user without any capability. That user can't enter a state folder
in, say, root's own home. So its program, data and configuration live in `/var/lib/tributary/ID`
instead. ID is made from the path of the state folder; `state` in the home points back to it.

| in the home | owner, mode | what |
|---|---|---|
| (itself) | root, 0711 | |
| `NAME/` | root, readable | a copy of the part |
| `data/` | the user, 0700 | where `data/NAME` of the state folder points |
| other files | the user, 0600 | configuration |

For anybody but root there is no home: everything is in the state folder.
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
# Who runs such a service: the first of these users that this machine has.
USERS = ("postgres", "nobody")
ID_LENGTH = 12


@dataclass(frozen=True)
class Home:
    """One service's home.

    - `folder`: the home itself;
    - `part`: the folder of the service's program, as it was fetched;
    - `link`: where the state folder has the service's data: here, a link into the home;
    - `user`: who the service runs as.
    """

    folder: Path
    part: Path
    link: Path
    user: pwd.struct_passwd

    @property
    def program(self) -> Path:
        """The copy of the part."""
        return self.folder / self.part.name

    @property
    def data(self) -> Path:
        """What the service keeps."""
        return self.folder / "data"

    @property
    def owner(self) -> tuple[int, int]:
        """Ids of the user and of its group."""
        return self.user.pw_uid, self.user.pw_gid

    @property
    def prefix(self) -> list[str]:
        """What makes a command run as the user, without capabilities.

        Raises:
            ServiceError: the program that does this is missing.
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
        """Make the folder, where it is not there."""
        with self._explained():
            for folder, mode in ((HOMES, 0o755), (self.folder, 0o711)):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)  # whatever the umask
            if not self._state_link.is_symlink():
                self._state_link.symlink_to(self.link.parent.parent)

    def prepare(self) -> None:
        """Bring program and data here, before a start; the service must not run.

        Raises:
            ServiceError: the data belong to somebody else, or the folder can't be written.
        """
        self.make()
        with self._explained():
            self._copy_program()
            self._link_data()
            self._move_data()
            if self.data.exists():
                _give(self.data, self.owner)

    def empty(self, folder: Path) -> None:
        """Make an empty folder that belongs to the user."""
        _remove(folder)
        folder.mkdir(mode=0o700)
        os.chown(folder, *self.owner)

    @property
    def _state_link(self) -> Path:
        return self.folder / "state"

    def _copy_program(self) -> None:
        """Copy the part unless its copy was made from the same."""
        stamp = ".made-from"
        copied = self.program / stamp
        if copied.exists() and copied.read_text() == (self.part / stamp).read_text():
            return
        fresh = self.program.with_name(f"{self.program.name}.new")
        _remove(fresh)
        shutil.copytree(self.part, fresh, symlinks=True)
        _let_all_read(fresh)
        _remove(self.program)
        fresh.rename(self.program)

    def _link_data(self) -> None:
        """Point the state folder to the data here; a state folder without data begins anew.

        Data that are still in the state folder itself, as they were before there were homes, are
        set aside for `_move_data`.
        """
        if self.link.is_symlink():
            self._check_target()
            return
        if self.link.exists():
            self._check_owner()
            self.link.rename(self._set_aside)
        _remove(self.data)  # of a state folder that was removed by hand
        self.link.parent.mkdir(parents=True, exist_ok=True)
        self.link.symlink_to(self.data)

    def _move_data(self) -> None:
        """Move here what was set aside; a move that was cut short is done again."""
        if not self._set_aside.exists():
            return
        if not self.data.exists():
            try:
                self._set_aside.rename(self.data)
            except OSError:  # another file system
                fresh = self.data.with_name("data.new")
                _remove(fresh)
                fresh.mkdir(mode=0o700)  # nobody else reads it while it is copied
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
                " copied, and its data were not. Move it back, or `make clean` and begin anew"
            )

    def _check_owner(self) -> None:
        uid = self.link.stat().st_uid
        if uid != self.user.pw_uid:
            raise ServiceError(
                f"{self.link} belongs to user {uid}, but root runs make: run it as that user, or"
                f" `chown -R {self.user.pw_name} {self.link}` to let root take it over"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, shutil.Error) as error:
            raise ServiceError(
                f"{self.part.name} can't run as root, and its home {self.folder} can't be made:"
                f" {error}. Make {HOMES} writable, or run make as another user"
            ) from None


def find_home(state: Path, part: Path) -> Home | None:
    """The home of the service whose program is `part`; None where root does not run us."""
    if os.geteuid() != 0:
        return None
    return Home(_home_folder(state), part, state / "data" / part.name, _find_user())


def remove_state(state: Path) -> None:
    """Remove a state folder and its home; nothing of it may run."""
    _remove(state)
    if os.geteuid() == 0:
        _remove(_home_folder(state))
        with suppress(OSError):  # there are others, or there never was one
            HOMES.rmdir()


def _home_folder(state: Path) -> Path:
    return HOMES / fingerprint(str(state.resolve()))[:ID_LENGTH]


def _find_user() -> pwd.struct_passwd:
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceError(
        f"none of the users {', '.join(USERS)} is in /etc/passwd, and root runs make: add one, or"
        " run make as another user"
    )


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _give(folder: Path, owner: tuple[int, int]) -> None:
    """Give a folder, and what in it has the same owner, to somebody; the folder itself last."""
    former_uid = folder.stat().st_uid
    if former_uid == owner[0]:
        return
    for path in (*folder.rglob("*"), folder):
        if path.lstat().st_uid == former_uid:
            os.chown(path, *owner, follow_symlinks=False)


def _let_all_read(folder: Path) -> None:
    """As `chmod -R a+rX`."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
