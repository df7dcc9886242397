"""The tests' own lakehouse, in either topology: starts it, inspects it, removes it.

Tests see a lakehouse from outside, on this machine's loopback. `settings` and `environment` are
that view. Whatever differs between the topologies is behind a method here, so that no test needs
to know which one runs.
"""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import psutil
import pytest

from configuration import REPOSITORY
from configuration.environment import DEFAULT_ROLE, FLINK_USER, user_environment
from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import Settings, load_settings
from configuration.templates import make_private_folder, write_private
from flink_jobs.cluster import stop_with_savepoint
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.services.homes import find_home, remove_state
from infra.services.model import Lakehouse
from infra.services.registry import find_service
from infra.topologies.native import bring_up
from infra.topologies.scratch import write_changed_settings
from infra.topologies.supervision import Supervisor, end_leftovers
from reference.kafka import Kafka
from tests.support.proxies import Proxies, proxies_state, put_behind_proxies

# A cold start fetches and builds everything first.
MAKE_SECONDS = 1800
# Answers come sooner than by default. A partition that a busy machine neglects for a while still
# holds the watermark back, so that no test depends on how fast the machine is. Tests build the
# marts when they need them, so an audit must not expect a build every few minutes.
TEST_SETTINGS = {
    "checkpoint_interval_seconds": "1",
    "idle_timeout_seconds": "600",
    "audit_settle_seconds": "10",
    "build_interval_minutes": "600",
}


STATES = ".lakehouse-tests"
# Names the process that started the tests; pytest-xdist's workers inherit the variable.
RUN_VARIABLE = "TRIBUTARY_TEST_RUN"


def name_state(purpose: str) -> str:
    """Name a state folder in the repository that no other worker and no other test run uses.

    The name contains a space, as many home folders do, so that code that can't handle it fails.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"{STATES} {os.environ[RUN_VARIABLE]} {worker} {purpose}"


def remove_leftovers() -> None:
    """End and remove the lakehouses of this test run, and of runs that were killed."""
    for state in REPOSITORY.glob(f"{STATES} *"):
        run = state.name.removeprefix(f"{STATES} ").partition(" ")[0]
        if run == os.environ[RUN_VARIABLE] or not psutil.pid_exists(int(run)):
            for marked in (state, Path(proxies_state(state))):
                end_leftovers(marked)
            remove_state(state)


def walk(folder: Path) -> Iterator[Path]:
    """A folder and everything in it, except what services remove meanwhile."""
    yield folder
    for path, folders, files in os.walk(folder):
        yield from (Path(path) / name for name in (*folders, *files))


def has_rights_for_others(path: Path) -> bool:
    """Whether a file or folder has a right for its group or for others; not if it is gone."""
    with suppress(FileNotFoundError):
        return bool(path.stat().st_mode & 0o077)
    return False


class StateFile(NamedTuple):
    """A file of the state folder: its mode and content."""

    mode: int
    content: bytes


@dataclass
class RunningLakehouse(ABC):
    """One lakehouse under test, driven by the same `make` targets as any other one."""

    # The command that opens Trino's prompt.
    PROMPT: ClassVar[tuple[str, ...]]

    topology_file: Path
    settings: Settings = field(init=False)
    # What `make env` prints: the credentials of the analyst.
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._settings_files().items():
                patch.setenv(name, value)
            self.settings = load_settings()

    def _settings_files(self) -> dict[str, str]:
        """The environment variables that tell our programs where the settings files are."""
        return {"TRIBUTARY_TOPOLOGY": str(self.topology_file)}

    @abstractmethod
    def start(self) -> None:
        """Start it, without producer and housekeeping; changes nothing if it already runs.

        Without housekeeping, because its scheduled work could run at any moment of a test.
        """

    @abstractmethod
    def change(self, changes: Mapping[str, str]) -> None:
        """Use these settings instead of the defaults from the next start on."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it cleanly; `start` continues where it stopped."""

    @abstractmethod
    def remove(self) -> None:
        """Remove all of it; keep its services' logs in `artifacts/logs`."""

    @abstractmethod
    def start_service(self, name: str) -> None:
        """Start one service."""

    @abstractmethod
    def stop_service(self, name: str) -> None:
        """Stop one service cleanly; `start` brings it back."""

    @abstractmethod
    def stop_job(self) -> None:
        """Stop the job with a savepoint; `start_service("attribution")` resumes it."""

    @abstractmethod
    def environment_of(self, role: str) -> dict[str, str]:
        """What `make env ROLE=...` prints."""

    @property
    def flink_login(self) -> tuple[str, str]:
        """User and password of Flink's page."""
        return FLINK_USER, load_secrets(self.settings).flink_operator_password

    def kafka_client(self, user: str = "admin") -> dict[str, str]:
        """The options of a librdkafka client that logs in as `user`."""
        return kafka_client(self.settings, load_secrets(self.settings), user)

    def kafka(self) -> Kafka:
        """A Kafka client that may do everything."""
        return Kafka(self.kafka_client())

    def empty(self) -> None:
        """Start over: no message, row or secret is left."""
        self.remove()
        self.start()

    @abstractmethod
    def status(self) -> Any:
        """What `make status JSON=1` prints, parsed."""

    @abstractmethod
    def audit(self, *, as_json: bool = False) -> str:
        """What `make audit` prints; fails the test if the audit does not hold."""

    @abstractmethod
    def build_marts(self) -> None:
        """Build and test every dbt model now."""

    @abstractmethod
    def refresh_marts(self) -> None:
        """Build only the hourly marts now."""

    @abstractmethod
    def score(self, truth: Path) -> str:
        """What `make score` prints: how much of a planted truth the attribution models recover."""

    @abstractmethod
    def ask(self, file: Path) -> str:
        """What Trino's prompt prints for the statement in a file."""

    @abstractmethod
    def pids(self) -> dict[str, int]:
        """The process id, on this machine, of each running service."""

    @abstractmethod
    def ports(self) -> set[int]:
        """The ports that it must listen on."""

    @abstractmethod
    def listening(self) -> set[tuple[str, int]]:
        """The addresses of this machine that it listens on."""

    @abstractmethod
    def told(self) -> dict[str, str]:
        """Everything that its services and their supervisor reveal, such as logs: text by place."""

    @abstractmethod
    def state_files(self) -> dict[str, StateFile]:
        """Every file of the state folder except data, parts and logs."""

    @abstractmethod
    def folders(self) -> list[Path]:
        """The folders of this machine that hold all of its state."""

    @abstractmethod
    def readable_by_others(self) -> list[str]:
        """What its services wrote with rights for the group or for others."""

    def processes(self) -> Iterator[psutil.Process]:
        """Processes of all services, with their children."""
        for pid in self.pids().values():
            process = psutil.Process(pid)
            yield process
            yield from process.children(recursive=True)

    def describe(self) -> Lakehouse:
        """The lakehouse as infra's code describes it."""
        settings = self.settings
        parts = Parts(settings.parts, Reporter())
        home = find_home(settings.state, parts.root / "postgres")
        return Lakehouse(settings, load_secrets(settings), parts, home)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `make` targets in this lakehouse; if one fails, the test fails with its output."""
        return self.run("make", *arguments)

    def run(self, *command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command with this lakehouse's settings; fails as `make` does."""
        result = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=self._command_environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=MAKE_SECONDS,
            check=False,
        )
        said = f"{shlex.join(command)}:\n{result.stdout}\n{result.stderr}"
        assert result.returncode == 0, said
        return result

    def open(self, *command: str) -> subprocess.Popen[str]:
        """Start a command with this lakehouse's settings; its output can be read as it comes."""
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=self._command_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def open_prompt(self) -> subprocess.Popen[str]:
        """Open Trino's prompt in a terminal of its own; what is written to stdin is typed there."""
        in_terminal = "import pty, sys; pty.spawn(sys.argv[1:])"
        return subprocess.Popen(
            [sys.executable, "-c", in_terminal, *self.PROMPT],
            cwd=REPOSITORY,
            env=self._command_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _command_environment(self) -> dict[str, str]:
        return {**os.environ, "PRODUCER": "off", "MAKEFLAGS": "", **self._variables()}

    @abstractmethod
    def _variables(self) -> dict[str, str]: ...


class NativeLakehouse(RunningLakehouse):
    """Runs with `make run`, as processes of this machine."""

    PROMPT = ("make", "-s", "sql")

    def __post_init__(self) -> None:
        self.change({})
        super().__post_init__()

    def start(self) -> None:
        self.make("run")
        self.stop_service("housekeeping")
        self.environment = self.environment_of(DEFAULT_ROLE)

    def environment_of(self, role: str) -> dict[str, str]:
        return user_environment(self.settings, load_secrets(self.settings), role)

    def change(self, changes: Mapping[str, str]) -> None:
        file = self._settings_files()["TRIBUTARY_SETTINGS"]
        write_changed_settings(Path(file), {**TEST_SETTINGS, **changes})

    def stop(self) -> None:
        self.make("stop")

    def remove(self) -> None:
        if self.settings.state.exists():
            keep_logs(self._logs())
            self.stop()
        remove_state(self.settings.state)

    def start_service(self, name: str) -> None:
        Supervisor(self.settings).start_service(find_service(self.describe(), name))

    def stop_service(self, name: str) -> None:
        Supervisor(self.settings).stop_service(name)

    def stop_job(self) -> None:
        self.stop_service("attribution")
        stop_with_savepoint(self.settings)

    def status(self) -> Any:
        return json.loads(self.make("-s", "status", "JSON=1").stdout)

    def audit(self, *, as_json: bool = False) -> str:
        return self.make("-s", "audit", *(["JSON=1"] if as_json else [])).stdout

    def build_marts(self) -> None:
        self.make("marts")

    def refresh_marts(self) -> None:
        self.make("refresh")

    def score(self, truth: Path) -> str:
        return self.make("-s", "score", f"TRUTH={truth}").stdout

    def ask(self, file: Path) -> str:
        return self.make("-s", "sql", f"QUERY={file}").stdout

    def pids(self) -> dict[str, int]:
        supervisor = Supervisor(self.settings)
        if not supervisor.is_running():
            return {}
        return {
            service.name: service.pid
            for service in supervisor.states()
            if service.is_running and service.pid
        }

    def ports(self) -> set[int]:
        return set(self.settings.topology.ports.values())

    def listening(self) -> set[tuple[str, int]]:
        addresses = set()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # a probe or a build may end at any time
                addresses |= {
                    (connection.laddr.ip, connection.laddr.port)
                    for connection in process.net_connections("inet")
                    if connection.status == psutil.CONN_LISTEN
                }
        return addresses

    def told(self) -> dict[str, str]:
        return self._logs()

    def state_files(self) -> dict[str, StateFile]:
        state = self.settings.state
        files = [
            *state.glob("*"),
            *state.glob("configuration/**/*"),
            *state.glob("supervisor/*"),
        ]
        return {
            str(file.relative_to(state)): StateFile(file.stat().st_mode, file.read_bytes())
            for file in files
            if file.is_file()
        }

    def folders(self) -> list[Path]:
        home = self.describe().home
        return [self.settings.state, *([home.folder] if home else [])]

    def readable_by_others(self) -> list[str]:
        state, home = self.settings.state, self.describe().home
        written = [state / name for name in ("configuration", "data", "logs", "supervisor")]
        written += [home.data] if home else []
        return [
            str(path)
            for folder in written
            for path in walk(folder)
            if not path.is_symlink() and has_rights_for_others(path)
        ]

    def _logs(self) -> dict[str, str]:
        return {
            file.relative_to(self.settings.logs).as_posix(): file.read_text(errors="replace")
            for file in self.settings.logs.rglob("*")
            if file.is_file()
        }

    def _settings_files(self) -> dict[str, str]:
        pipeline = self.topology_file.with_name("tributary.toml")
        return {**super()._settings_files(), "TRIBUTARY_SETTINGS": str(pipeline)}

    def _variables(self) -> dict[str, str]:
        return self._settings_files()


class ProxiedLakehouse(NativeLakehouse):
    """A native lakehouse with proxies in front of Kafka, PostgreSQL and MinIO."""

    def __post_init__(self) -> None:
        put_behind_proxies(self.topology_file)
        super().__post_init__()
        self.proxies = Proxies(self.settings)

    def start(self) -> None:
        self.proxies.start()
        super().start()

    def remove(self) -> None:
        super().remove()
        self.proxies.stop()


class Stores(NativeLakehouse):
    """Only Kafka, PostgreSQL and MinIO, set up as a job needs them."""

    STEPS = ("topics", "tables")

    def start(self) -> None:
        bring_up(self.settings, self.STEPS)
        self.environment = self.environment_of(DEFAULT_ROLE)


class ContainerLakehouse(RunningLakehouse):
    """Runs with `docker compose up`, with its own project name and its inner ports published.

    The user who runs the tests must be allowed to signal the containers' processes.
    """

    PROJECT = "tributary-tests"
    PROMPT = ("docker", "compose", "run", "--rm", "sql")

    def start(self) -> None:
        self.make("up")
        self.stop_service("housekeeping")
        self._copy_state()
        self.environment = self.environment_of(DEFAULT_ROLE)

    def environment_of(self, role: str) -> dict[str, str]:
        exports = self._command("env", role).splitlines()
        pairs = [shlex.split(line)[1].partition("=") for line in exports]
        environment = {name: value for name, _, value in pairs}
        return {**environment, "TRINO_CA_FILE": str(self.settings.trino_ca_file)}

    def change(self, changes: Mapping[str, str]) -> None:
        """Do nothing: settings are in the images, which are built only once."""

    def stop(self) -> None:
        self.make("down")

    def remove(self) -> None:
        if self.compose("ps", "--all", "--quiet").stdout:
            keep_logs(self._logs())
        self.compose("--profile", "*", "down", "--volumes")

    def start_service(self, name: str) -> None:
        self.compose("start", name)

    def stop_service(self, name: str) -> None:
        self.compose("stop", name)

    def stop_job(self) -> None:
        self.stop_service("attribution")

    def status(self) -> Any:
        return json.loads(self._command("status", "--json"))

    def audit(self, *, as_json: bool = False) -> str:
        return self._command("audit", *(["--json"] if as_json else []))

    def build_marts(self) -> None:
        self._command("marts")

    def refresh_marts(self) -> None:
        self._command("refresh")

    def score(self, truth: Path) -> str:
        command = ("run", "--rm", "--no-deps", "-T", "cli", "score", "-")
        return self.compose(*command, given=truth.read_text()).stdout

    def ask(self, file: Path) -> str:
        return self.compose("run", "--rm", "-T", "sql", given=file.read_text()).stdout

    def pids(self) -> dict[str, int]:
        return {
            container["Config"]["Labels"]["com.docker.compose.service"]: container["State"]["Pid"]
            for container in self._inspect()
            if container["State"]["Running"]
        }

    def ports(self) -> set[int]:
        return {self.settings.topology.ports[key] for key in PUBLISHED_KEYS}

    def listening(self) -> set[tuple[str, int]]:
        return {
            (binding["HostIp"], int(binding["HostPort"]))
            for container in self._inspect()
            for bindings in container["NetworkSettings"]["Ports"].values()
            for binding in bindings or []
        }

    def told(self) -> dict[str, str]:
        return {**self._logs(), "docker inspect": json.dumps(self._inspect())}

    def state_files(self) -> dict[str, StateFile]:
        [container] = self.compose("ps", "--all", "--quiet", "configure").stdout.split()
        copied = subprocess.run(
            ["docker", "cp", f"{container}:/var/lib/tributary/.", "-"],
            capture_output=True,
            check=True,
        )
        with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as archive:
            return {
                member.name.removeprefix("./"): StateFile(member.mode, content.read())
                for member in archive
                if (content := archive.extractfile(member))
            }

    def folders(self) -> list[Path]:
        label = f"label=com.docker.compose.project={self.PROJECT}"
        names = self.run("docker", "volume", "ls", "--quiet", "--filter", label).stdout.split()
        volumes = json.loads(self.run("docker", "volume", "inspect", *names).stdout)
        return [Path(volume["Mountpoint"]) for volume in volumes]

    def readable_by_others(self) -> list[str]:
        tests = ("-ignore_readdir_race", "-mindepth", "1", "-perm", "/077", "!", "-type", "l")
        search = ("find", "/var/lib/tributary/data", *tests)
        return [
            f"{name}: {path}"
            for name in ("postgres", "minio", "kafka", "taskmanager")
            for path in self.compose("exec", "-T", name, *search).stdout.splitlines()
        ]

    def compose(
        self, *arguments: str, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` on this lakehouse."""
        return self.run("docker", "compose", *arguments, given=given)

    def _command(self, *arguments: str) -> str:
        """Run one of infra's commands in a container, and return its output."""
        return self.compose("run", "--rm", "--no-deps", "-T", "cli", *arguments).stdout

    def _copy_state(self) -> None:
        """Copy the files of the state folder that clients on this machine need."""
        files = self.state_files()
        for target in (self.settings.secrets_file, self.settings.trino_ca_file):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[target.name].content)

    def _inspect(self) -> list[dict[str, Any]]:
        containers = self.compose("--profile", "*", "ps", "--all", "--quiet").stdout.split()
        if not containers:
            return []
        return list(json.loads(self.run("docker", "inspect", *containers).stdout))

    def _logs(self) -> dict[str, str]:
        return {"compose.log": self.compose("logs", "--no-color").stdout}

    def _variables(self) -> dict[str, str]:
        ports = self.settings.topology.ports
        return {
            "COMPOSE_PROJECT_NAME": self.PROJECT,
            "COMPOSE_PROFILES": "dev",
            **{
                f"TRIBUTARY_{key.upper().replace('.', '_')}": str(ports[key])
                for key in PUBLISHED_KEYS
            },
        }


# Ports that the profile `dev` publishes.
PUBLISHED_KEYS = (
    "kafka.port",
    "postgres.port",
    "connect.port",
    "s3.port",
    "s3.console_port",
    "flink.port",
    "trino.port",
    "superset.port",
)
TOPOLOGIES: dict[str, Callable[[Path], RunningLakehouse]] = {
    "native": ProxiedLakehouse,
    "containers": ContainerLakehouse,
}


def keep_logs(texts: dict[str, str]) -> None:
    """Write the services' logs to `artifacts/logs`, to investigate a failure."""
    artifacts = REPOSITORY / "artifacts/logs"
    shutil.rmtree(artifacts, ignore_errors=True)
    make_private_folder(artifacts)
    for name, text in texts.items():
        write_private(artifacts / name, text)
