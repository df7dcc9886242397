"""Killed without warning: everything comes back by itself, and has lost nothing."""

import os
import signal

from infra.waiting import wait_until
from tests.e2e.lake import Lake, Lakehouse, read_status
from tests.e2e.traffic import SECOND_MS, Traffic, outgoing
from tests.events import make_click

USERS = 200
OLD_CLICK = "from before the kill"
# Of a machine whose cores are busy with the same starts; it is a minute on an idle one.
RECOVERY_SECONDS = 420


def test_nothing_is_lost_or_doubled_when_the_worker_is_killed_at_work(
    lakehouse: Lakehouse, crafted: Lake
) -> None:
    lake = crafted
    lake.wake()
    messages = Traffic(lake.meanings, seed=3, zero_ms=lake.now_ms).journeys(USERS)
    middle = len(messages) // 2
    lake.kafka.send(messages[:middle])
    kill(lakehouse, ["taskmanager"])
    old_ms = lake.now_ms - 3600 * SECOND_MS
    lake.kafka.send([outgoing(lake.topics.clickstream, make_click(OLD_CLICK, 42, old_ms), 0)])
    lake.kafka.send(messages[middle:])
    lake.close()
    lake.read().check()
    rows = lake.trino.query(f"select is_late from raw.clickstream where event_id = '{OLD_CLICK}'")
    assert rows == [(True,)]


def test_everything_comes_back_when_all_is_killed_at_once(
    lakehouse: Lakehouse, crafted: Lake
) -> None:
    kill(lakehouse, [service["name"] for service in read_status(lakehouse)["services"]])
    lake = crafted
    lake.skip_to_newest()
    lake.wake()
    lake.kafka.send(Traffic(lake.meanings, seed=4, zero_ms=lake.now_ms).journeys(USERS))
    lake.close()
    lake.read().check()


def kill(lakehouse: Lakehouse, names: list[str]) -> None:
    """SIGKILL these services' processes, and wait until each has another one and a job runs."""
    killed = {
        service["name"]: service["pid"]
        for service in read_status(lakehouse)["services"]
        if service["name"] in names
    }
    assert killed.keys() == set(names)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        status = read_status(lakehouse)
        running = {
            service["name"]: service["pid"]
            for service in status["services"]
            if service["state"] == "running"
        }
        is_each = all(running.get(name, pid) != pid for name, pid in killed.items())
        return is_each and status["job"] is not None and status["job"]["state"] == "running"

    wait_until(is_back, RECOVERY_SECONDS, f"{', '.join(names)} and the job to come back")
