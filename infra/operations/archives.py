"""Java class archives: classes parsed and verified once, then mapped into memory at each start.

Input: the running services. Output: one file for each JVM in the parts folder's `archives`, made
with Java's class data sharing (CDS). A service also starts without its archive, only more slowly:
the JVM ignores one that is missing, truncated, damaged, or made from other jars or another Java.

There is no training run. A running JVM lists the classes that it has loaded, and starts a child
that writes the archive from that list.
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
    """Write the archive of every running JVM that has none, one at a time.

    Raises:
        CommandError: a JVM did not write its archive.
    """
    supervisor = Supervisor(lakehouse.settings)
    for service in describe_services(lakehouse):
        if service.archive is None or service.archive.exists():
            continue
        pid = supervisor.state(service.name).pid
        if pid:
            save_archive(pid, service.archive)
            LOG.info("%s: class archive written; the next start is faster", service.name)


def save_archive(pid: int, archive: Path) -> None:
    """Make the JVM `pid` write `archive`, and remove older archives of the same service.

    Raises:
        CommandError: the JVM did not write it; the message includes jcmd's output if jcmd failed.
    """
    process = psutil.Process(pid)
    folder, jcmd = Path(process.cwd()), Path(process.exe()).with_name("jcmd")
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Java writes a temporary file beside it, and renames that file when it is complete.
    run_quietly([str(jcmd), str(pid), "VM.cds", "static_dump", str(archive)])
    for output in folder.glob("java_pid*_std*"):  # the child's output, in the JVM's folder
        output.unlink()
    if not archive.exists():
        raise CommandError(f"{archive}: Java (pid {pid}) did not write this archive")
    for older in archive.parent.glob(f"{archive.name.partition('-')[0]}-*"):
        if older != archive:
            older.unlink()
