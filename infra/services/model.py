"""The model of a service, the same in both topologies.

`topologies/native.py` runs services as processes of this machine. `topologies/containers.py` writes
the files from which containers run them. A service starts after those that it needs, and survives
their restarts, so nobody has to restart it by hand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from configuration.secrets import Secrets
from configuration.settings import Settings
from infra.install.parts import Parts
from infra.services.homes import Home
from infra.services.probes import Probe

# Verify a class archive and ignore it if it is damaged, so that it can't crash the JVM.
VERIFIED_ARCHIVE = ("-XX:+VerifySharedSpaces", "-Xshare:auto")
# For Kafka and Connect, which also set a fixed heap: a cheap garbage collector, limited buffers,
# and only the first JIT compiler. Few of their methods are hot, so the second one costs more than
# it saves (docs/decisions/0033-java-starts-fast.md).
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=64m", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Lakehouse:
    """A lakehouse: its settings, its secrets and the paths of its parts."""

    settings: Settings
    secrets: Secrets
    parts: Parts
    # PostgreSQL's home (homes.py); only set if root runs the lakehouse natively.
    home: Home | None = None

    @property
    def data(self) -> Path:
        """The folder of the services' data."""
        return self.settings.state / "data"

    @property
    def configuration(self) -> Path:
        """The folder of rendered configuration."""
        return self.settings.state / "configuration"

    def bind(self, port: int) -> str:
        """Return the address that a server listens on."""
        return f"{self.settings.topology.network.bind_host}:{port}"


@dataclass(frozen=True)
class FirstRun:
    """A command that runs once, before a service's first start.

    It is skipped if `leaves` exists. The command creates `leaves`. If `scratch` is set, the command
    creates `scratch` instead, which is renamed to `leaves` when the command succeeds.
    """

    command: Sequence[str | Path]
    leaves: Path
    scratch: Path | None = None


@dataclass(frozen=True)
class Service:
    """A process of the lakehouse, in either topology.

    - `environment`: its environment variables;
    - `files`: text of its configuration files, by path;
    - `folders`: folders that must exist before it starts;
    - `first_run`: a command to run before its first start;
    - `reads`: files in the state folder that it reads and others write; a container sees no others;
    - `grants`: names of the secrets that it reads from secrets.toml; a container sees no others;
    - `directory`: its working directory;
    - `ports`: settings keys of the ports that it listens on, the main one first;
    - `after`: services that must be ready, and setup steps that must be done, before it starts;
    - `home`: its home if it must not run as root (homes.py); None if it runs as the current user;
    - `probe`: tells whether it is ready; None if there is nothing to ask;
    - `archive`: path of its Java class archive (operations/archives.py); the file may be missing.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    probe: Probe | None = None
    files: Mapping[Path, str] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    first_run: FirstRun | None = None
    reads: tuple[Path, ...] = ()
    grants: tuple[str, ...] = ()
    directory: Path | None = None
    ports: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    home: Home | None = None
    archive: Path | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    ready_seconds: int = 120


@dataclass(frozen=True)
class SetupStep:
    """A one-shot, repeatable step between service starts; `after` is as in `Service`."""

    name: str
    ensure: Callable[[Lakehouse], None]
    after: tuple[str, ...] = ()


def find_archive(lakehouse: Lakehouse, name: str, java: int, folder: str) -> Path | None:
    """Return the path of a service's class archive; None in containers, whose images are fixed."""
    if lakehouse.settings.is_in_containers:
        return None
    return lakehouse.parts.archive(name, java, folder)


def archive_options(archive: Path | None, directory: Path | None = None) -> Iterator[str]:
    """Yield the JVM options that make it use a class archive.

    Args:
        archive: path of the archive; None if the service has none.
        directory: the JVM's working directory, if the options must contain a relative path.
    """
    if archive:
        file = archive.relative_to(directory) if directory else archive
        yield from (f"-XX:SharedArchiveFile={file}", *VERIFIED_ARCHIVE)


def tools_python(lakehouse: Lakehouse) -> Path:
    """Return the Python interpreter of our own programs."""
    return lakehouse.settings.virtualenv_python("tools")


def topology_environment(lakehouse: Lakehouse) -> dict[str, str]:
    """Return the variables that make our Python processes read the same two settings files."""
    return {
        "TRIBUTARY_SETTINGS": str(lakehouse.settings.pipeline_file),
        "TRIBUTARY_TOPOLOGY": str(lakehouse.settings.topology_file),
    }
