"""Kills services with SIGKILL, and waits until they are back by themselves."""

import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress

import requests

from configuration.waiting import wait_until
from infra.services.probes import FlinkProbe
from infra.services.registry import describe_services
from tests.support.clients import Flink
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
    probes = [each.probe for each in services if each.name in killed and each.probe]
    # Flink's own port is not published in containers, so ask about the job instead.
    askable = [probe for probe in probes if not isinstance(probe, FlinkProbe)]
    flink = Flink(lakehouse.environment["FLINK_URL"], lakehouse.flink_login)

    def has_job() -> bool:
        with suppress(requests.RequestException):
            return flink.has_all_tasks_running()
        return False

    def is_back() -> bool:
        running = lakehouse.pids()
        is_each = all(running.get(name, pid) != pid for name, pid in killed.items())
        return is_each and has_job() and all(probe.is_ready() for probe in askable)

    wait_until(is_back, RECOVERY_SECONDS, f"{', '.join(killed)} and the job to come back")
