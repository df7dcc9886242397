"""Kills services with SIGKILL, and waits until they are back by themselves."""

import os
import signal
from collections.abc import Iterable, Mapping

from configuration.waiting import wait_until
from flink_jobs.cluster import JOB_NAME
from infra.services.probes import FlinkJobProbe, Probe
from infra.services.registry import describe_services
from tests.support.lakehouses import RunningLakehouse

# For a machine whose cores are busy with these starts; an idle one takes a minute.
RECOVERY_SECONDS = 420


def kill(lakehouse: RunningLakehouse, names: Iterable[str]) -> None:
    """Send SIGKILL to these services' processes, and wait until they are back."""
    pids = lakehouse.pids()
    killed = {name: pids[name] for name in names}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    wait_until_back(lakehouse, killed)


def wait_until_back(lakehouse: RunningLakehouse, killed: Mapping[str, int]) -> None:
    """Wait until each killed service has a new process that is ready, and the job runs."""
    services = describe_services(lakehouse.describe())
    probes: list[Probe] = [FlinkJobProbe(lakehouse.environment["FLINK_URL"], JOB_NAME)]
    probes += [each.probe for each in services if each.name in killed and each.probe]

    def is_back() -> bool:
        running = lakehouse.pids()
        is_each = all(running.get(name, pid) != pid for name, pid in killed.items())
        return is_each and all(probe.is_ready() for probe in probes)

    wait_until(is_back, RECOVERY_SECONDS, f"{', '.join(killed)} and the job to come back")
