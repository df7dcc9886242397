"""PostgreSQL starts for every user and in every state folder, and never runs as root.

Root's state folder can't be entered by other users; its path contains a space. The ordinary user
is the user who runs the tests; if that is root, it is `nobody` with a copy of the checkout. Only
the step "databases" and what it needs is started.
"""

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import pytest
from psycopg2.extras import PhysicalReplicationConnection

from configuration import REPOSITORY
from configuration.secrets import load_secrets
from configuration.settings import Settings, load_settings
from configuration.waiting import wait_until
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.services.homes import Home, find_home
from infra.services.model import Lakehouse
from infra.services.postgres import POSTGRES_ADMIN, connect_postgres
from infra.topologies.scratch import write_scratch_topology
from infra.topologies.supervision import Supervisor

BRING_UP = (
    "from configuration.settings import load_settings;"
    " from infra.topologies.native import bring_up;"
    " bring_up(load_settings(), ['databases'])"
)
COMMAND_SECONDS = 600
IS_ROOT = os.geteuid() == 0
NO_CAPABILITIES = "0" * 16
# pg_hba.conf of earlier versions.
OPEN_ACCESS = "host all all all scram-sha-256\nhost replication all all scram-sha-256\n"
RELOAD_SECONDS = 30
# Fetched, built or cached files, which belong to one checkout.
NOT_COPIED = shutil.ignore_patterns(".lakehouse*", ".git", "artifacts", "__pycache__", ".*_cache")
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")


@dataclass(frozen=True)
class Own:
    """A user's own lakehouse, of which only the databases run."""

    checkout: Path
    topology_file: Path
    prefix: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRIBUTARY_TOPOLOGY", str(self.topology_file))
            return load_settings()

    @property
    def home(self) -> Home:
        home = find_home(self.settings.state, self.settings.parts / "postgres")
        assert home
        return home

    def start(self) -> None:
        self._run("-c", BRING_UP)

    def stop(self) -> None:
        """Stop it without `make stop`, which would look for a savepoint in a store that is down."""
        supervisor = Supervisor(self.settings)
        if supervisor.is_running():
            supervisor.shutdown()

    def clean(self) -> None:
        self.stop()
        self._run("-m", "infra", "clean")

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement in the database `shop`; return its rows, [] if it has none."""
        settings = self.settings
        parts = Parts(settings.parts, Reporter())
        lakehouse = Lakehouse(settings, load_secrets(settings), parts)
        with closing(connect_postgres(lakehouse, "shop")) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    @property
    def access_file(self) -> Path:
        """pg_hba.conf."""
        state = self.settings.state
        folder = self.home.folder if state.stat().st_uid == 0 else state / "configuration"
        return folder / "pg_hba.conf"

    def replicates(self) -> bool:
        """Whether the server accepts a connection over which all of it can be copied."""
        address = self.settings.topology.postgres
        try:
            psycopg2.connect(
                host=address.host,
                port=address.port,
                user=POSTGRES_ADMIN,
                password=load_secrets(self.settings).postgres_admin_password,
                connection_factory=PhysicalReplicationConnection,
            ).close()
        except psycopg2.OperationalError:
            return False
        return True

    def processes(self) -> list[psutil.Process]:
        """PostgreSQL's processes."""
        server = psutil.Process(Supervisor(self.settings).state("postgres").pid)
        return [server, *server.children(recursive=True)]

    def _run(self, *arguments: str) -> None:
        python = (
            self.checkout / self.settings.topology.paths.parts / "environments/tools/bin/python"
        )
        result = subprocess.run(
            [*self.prefix, str(python), *arguments],
            cwd=self.checkout,
            env={"PATH": os.environ["PATH"], "TRIBUTARY_TOPOLOGY": str(self.topology_file)},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert result.returncode == 0, f"{arguments}:\n{result.stdout}\n{result.stderr}"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user can enter; only the user of the tests can enter pytest's own."""
    with tempfile.TemporaryDirectory(prefix="tributary-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def own_lakehouse(folder: Path, checkout: Path, prefix: tuple[str, ...] = ()) -> Iterator[Own]:
    topology_file = folder / "topology.toml"
    write_scratch_topology(topology_file, str(folder / "state"))
    own = Own(checkout, topology_file, prefix)
    try:
        yield own
    finally:
        own.clean()


@pytest.fixture(scope="module")
def roots(parts: Parts, folder: Path) -> Iterator[Own]:
    assert parts.root.is_dir()
    closed = folder / "closed to others"
    (closed / "state").mkdir(parents=True, mode=0o700)
    closed.chmod(0o700)
    yield from own_lakehouse(closed, REPOSITORY)


@pytest.fixture(scope="module")
def ordinary_users(parts: Parts, folder: Path) -> Iterator[Own]:
    own_folder = folder / "ordinary"
    own_folder.mkdir()
    if not IS_ROOT:
        yield from own_lakehouse(own_folder, REPOSITORY)
        return
    nobody = pwd.getpwnam("nobody")
    checkout = own_folder / "checkout"
    shutil.copytree(REPOSITORY, checkout, symlinks=True, ignore=NOT_COPIED)
    copied_parts = checkout / parts.root.relative_to(REPOSITORY)
    copied_parts.mkdir(parents=True)
    for path in (own_folder, *own_folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    link_parts(parts.root, copied_parts)
    prefix = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    change_python(copied_parts / "environments/tools", find_python(prefix))
    yield from own_lakehouse(own_folder, checkout, prefix)


def link_parts(parts: Path, target: Path) -> None:
    """Hard-link all parts except caches and links with absolute paths; copy if links fail."""
    own = ("cache", "flink-distribution", "lock")
    shared = [part for part in parts.iterdir() if part.name not in own]
    for option in ("-al", "-a"):
        copied = subprocess.run(["cp", option, *shared, target], check=False, capture_output=True)
        if copied.returncode == 0:
            return
    raise AssertionError(copied.stderr.decode())


def find_python(prefix: tuple[str, ...]) -> Path:
    """Find a Python of our version that the user may run; root's may be in root's home folder."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = [Path(sys.base_prefix) / "bin", *map(Path, os.defpath.split(":"))]
    for python in (folder / name for folder in folders):
        # `env` checks access without the capabilities that setpriv still has.
        command = [*prefix, "env", str(python), "-c", ""]
        if subprocess.run(command, cwd="/", check=False, capture_output=True).returncode == 0:
            return python
    pytest.skip(f"the user nobody can run no {name} in {', '.join(map(str, folders))}")


def change_python(environment: Path, python: Path) -> None:
    """Give an environment another interpreter; replaces files, because others may share them."""
    configuration, link = environment / "pyvenv.cfg", environment / "bin/python"
    text = re.sub(r"^home = .*", f"home = {python.parent}", configuration.read_text(), flags=re.M)
    configuration.unlink()
    configuration.write_text(text)
    link.unlink()
    link.symlink_to(python)


@pytest.fixture(params=[pytest.param("roots", marks=needs_root), "ordinary_users"])
def own(request: pytest.FixtureRequest, parts: Parts) -> Own:
    """Each user's lakehouse, running."""
    assert parts.root.is_dir()
    own: Own = request.getfixturevalue(request.param)
    own.start()
    return own


@pytest.fixture
def roots_own(roots: Own) -> Own:
    """Root's lakehouse, running."""
    roots.start()
    return roots


def read_status(process: psutil.Process) -> dict[str, str]:
    """The kernel's status of a process, by name: ids, capabilities."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_postgres_runs_without_capabilities_and_not_as_root(own: Own) -> None:
    assert own.query("select 1") == [(1,)]
    for process in own.processes():
        status = read_status(process)
        assert "0" not in status["Uid"].split()
        assert "0" not in status["Gid"].split()
        assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {
            NO_CAPABILITIES
        }


@needs_root
def test_postgres_can_gain_no_capability_when_root_starts_it(roots_own: Own) -> None:
    for process in roots_own.processes():
        status = read_status(process)
        assert status["CapBnd"] == NO_CAPABILITIES
        assert status["NoNewPrivs"] == "1"


@needs_root
def test_only_postgres_can_read_the_files_in_its_home(roots_own: Own) -> None:
    home = roots_own.home
    for file in (home.data, home.folder / "pg_hba.conf", home.folder / "postgres-password"):
        assert file.stat().st_uid == home.user.pw_uid
        assert file.stat().st_mode & 0o077 == 0
    folder = home.folder.stat()
    assert (folder.st_uid, folder.st_gid) == (0, home.user.pw_gid)
    assert stat.S_IMODE(folder.st_mode) == 0o710


def test_start_closes_the_state_folder_to_others(own: Own) -> None:
    own.settings.state.chmod(0o755)  # as earlier versions left it
    own.start()
    assert stat.S_IMODE(own.settings.state.stat().st_mode) == 0o700


@needs_root
def test_start_closes_the_home_to_others(roots_own: Own) -> None:
    folder = roots_own.home.folder
    os.chown(folder, 0, 0)
    folder.chmod(0o711)  # as earlier versions left it
    roots_own.start()
    assert folder.stat().st_gid == roots_own.home.user.pw_gid
    assert stat.S_IMODE(folder.stat().st_mode) == 0o710


@needs_root
def test_postgres_superuser_can_not_read_roots_secrets(roots_own: Own) -> None:
    """PostgreSQL lets its superuser read every file that the server's process can read."""
    secrets = roots_own.settings.secrets_file
    assert secrets.stat().st_uid == 0
    assert roots_own.query("select pg_read_file('PG_VERSION') <> ''") == [(True,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="Permission denied"):
        roots_own.query(f"select pg_read_file('{secrets}')")
    with pytest.raises(psycopg2.errors.ExternalRoutineException):
        roots_own.query(
            f"create temp table leak (line text); copy leak from program 'cat {secrets}'"
        )


def test_start_of_an_existing_server_ends_physical_replication(own: Own) -> None:
    own.access_file.write_text(OPEN_ACCESS)
    own.query("select pg_reload_conf()")
    wait_until(own.replicates, RELOAD_SECONDS, "the server to read the old pg_hba.conf")
    own.start()
    wait_until(lambda: not own.replicates(), RELOAD_SECONDS, "the server to read the new one")


def test_restart_keeps_the_data(own: Own) -> None:
    own.query("create table kept as select 7 as number")
    own.stop()
    own.start()
    assert own.query("select number from kept") == [(7,)]
    own.query("drop table kept")


def test_clean_removes_all_folders_and_processes(own: Own) -> None:
    state, processes = own.settings.state, own.processes()
    folders = [state, own.home.folder] if own.settings.state.stat().st_uid == 0 else [state]
    assert all(folder.exists() for folder in folders)
    own.clean()
    assert [folder for folder in folders if folder.exists()] == []
    assert [process for process in processes if process.is_running()] == []


@needs_root
def test_start_moves_data_from_the_state_folder_to_the_home(roots_own: Own) -> None:
    roots_own.query("create table moved as select 7 as number")
    roots_own.stop()
    put_back(roots_own.home)
    roots_own.start()
    assert roots_own.query("select number from moved") == [(7,)]
    assert roots_own.home.link.readlink() == roots_own.home.data
    roots_own.query("drop table moved")


@needs_root
def test_database_is_new_when_the_state_folder_was_removed_by_hand(roots_own: Own) -> None:
    roots_own.query("create table forgotten as select 7 as number")
    roots_own.stop()
    shutil.rmtree(roots_own.settings.state)
    roots_own.start()
    assert roots_own.query("select to_regclass('forgotten')") == [(None,)]


def put_back(home: Home) -> None:
    """Restore the layout from before there were homes: data in the state folder, no home."""
    home.link.unlink()
    subprocess.run(["cp", "-a", home.data, home.link], check=True)
    shutil.rmtree(home.folder)
