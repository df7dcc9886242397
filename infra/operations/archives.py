"""Archives: the classes that a service's JVM loads, parsed and verified once, mapped at each start.

Enters: the running services. Leaves: a file each in the parts' folder `archives` (Java's class data
sharing). A service starts without its archive too, only slower: the JVM itself leaves aside one
that is absent, cut, damaged, or of other jars or another Java.

Nothing is trained for it: a JVM that already serves lists the classes that it has loaded, and
starts a child that writes the archive from that list.
"""

import logging
from pathlib import Path

import psutil

from configuration.errors import CommandError
from infra.install.commands import run_quietly
from infra.services.model import Lakehouse
from infra.services.registry import describe_services
from infra.topologies.supervision import Supervisor

LOG = logging.getLogger("archives")


def save_archives(lakehouse: Lakehouse) -> None:
    """Write the archive of every running JVM that has none, one after the other.

    Raises:
        CommandError: a JVM did not write it.
    """
    supervisor = Supervisor(lakehouse.settings)
    for service in describe_services(lakehouse):
        if service.archive is None or service.archive.exists():
            continue
        pid = supervisor.state(service.name).pid
        if pid:
            save_archive(pid, service.archive)
            LOG.info("%s: archive written; its next start is faster", service.name)


def save_archive(pid: int, archive: Path) -> None:
    """Let the JVM `pid` write `archive`, in the place of those of the same service.

    Raises:
        CommandError: it did not; with its own words where it has some.
    """
    process = psutil.Process(pid)
    folder, jcmd = Path(process.cwd()), Path(process.exe()).with_name("jcmd")
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Java writes to a file beside it, and renames that once it is whole.
    run_quietly([str(jcmd), str(pid), "VM.cds", "static_dump", str(archive)])
    for output in folder.glob("java_pid*_std*"):  # what the child said, into the JVM's own folder
        output.unlink()
    if not archive.exists():
        raise CommandError(f"{archive}: Java (pid {pid}) did not write it")
    for older in archive.parent.glob(f"{archive.name.partition('-')[0]}-*"):
        if older != archive:
            older.unlink()
