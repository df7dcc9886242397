"""What a service is: the same in both topologies.

`topologies/native.py` runs services as processes of this machine, `topologies/containers.py` writes
them down for containers. A service that needs another one is started after it, but each also
survives the other's restart: nothing here has to be restarted by hand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from configuration.secrets import Secrets
from configuration.settings import Settings
from infra.install.parts import Parts
from infra.services.homes import Home
from infra.services.probes import Probe

# Whatever an archive of classes holds: one that was damaged is left aside, and ends no JVM.
VERIFIED_ARCHIVE = ("-XX:+VerifySharedSpaces", "-Xshare:auto")
# Kafka's own programs: a fixed heap, and what they need beside that.
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=64m")


@dataclass(frozen=True)
class Lakehouse:
    """One lakehouse: its settings, its secrets, and where its parts are."""

    settings: Settings
    secrets: Secrets
    parts: Parts
    # PostgreSQL's, where root runs it natively.
    home: Home | None = None

    @property
    def data(self) -> Path:
        """Folder of what the services keep."""
        return self.settings.state / "data"

    @property
    def configuration(self) -> Path:
        """Folder of rendered configuration."""
        return self.settings.state / "configuration"

    def bind(self, port: int) -> str:
        """What a server listens on."""
        return f"{self.settings.topology.network.bind_host}:{port}"


@dataclass(frozen=True)
class FirstRun:
    """What is done once, before a service's first start.

    `command` makes `leaves`; or else `scratch`, which becomes `leaves` once it is whole.
    """

    command: Sequence[str | Path]
    leaves: Path
    scratch: Path | None = None


@dataclass(frozen=True)
class Service:
    """A process of the lakehouse, in either topology.

    - `files`: configuration, by where it is to be;
    - `folders`: what must be there before it starts;
    - `reads`, `grants`: files of the state folder that others make, and the names of the secrets
      that it reads itself; a container sees no others;
    - `probe`: asks whether it is ready; None where nothing can be asked;
    - `ports`: the settings' keys of what it listens on, its main one first;
    - `after`: services and steps (lakehouse.py) that must be ready or done before;
    - `home`: where it lives as another user; None where it runs as whoever runs us;
    - `archive`: of the classes that its JVM loads (archives.py); may be absent.
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
    """A one-shot step between the services, the same result each time; `after`: as a service's."""

    name: str
    ensure: Callable[[Lakehouse], None]
    after: tuple[str, ...] = ()


def find_archive(lakehouse: Lakehouse, name: str, java: int, folder: str) -> Path | None:
    """A service's archive; None in containers, whose images nobody adds to."""
    if lakehouse.settings.is_in_containers:
        return None
    return lakehouse.parts.archive(name, java, folder)


def archive_options(archive: Path | None, directory: Path | None = None) -> Iterator[str]:
    """Options of a JVM that takes its classes from there, if they are there.

    Args:
        archive: of the service; None where it has none.
        directory: the JVM's own, where the options must not hold the path to it.
    """
    if archive:
        file = archive.relative_to(directory) if directory else archive
        yield from (f"-XX:SharedArchiveFile={file}", *VERIFIED_ARCHIVE)


def tools_python(lakehouse: Lakehouse) -> Path:
    """The interpreter that our own programs run in."""
    return lakehouse.settings.virtualenv_python("tools")


def topology_environment(lakehouse: Lakehouse) -> dict[str, str]:
    """Leads our own Python processes to the same two settings files."""
    return {
        "TRIBUTARY_SETTINGS": str(lakehouse.settings.pipeline_file),
        "TRIBUTARY_TOPOLOGY": str(lakehouse.settings.topology_file),
    }
