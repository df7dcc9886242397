"""Planned stops and starts: nothing is lost, doubled or changed."""

from collections.abc import Mapping

import pytest

from reference.events import make_click
from tests.support.lake import HOUR_MS, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import outgoing

USERS = 200


def test_starting_a_running_lakehouse_changes_nothing(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    job = lake.flink.running_job()
    before = lakehouse.pids()
    lakehouse.start()
    assert lakehouse.pids() == before
    assert lake.flink.running_job() == job


@pytest.fixture(scope="module")
def restarted(lakehouse: RunningLakehouse, lake: Lake) -> Lake:
    """The lake after a stop and a start in the middle of all journeys."""
    lake.wake()
    messages = lake.traffic(seed=2).journeys(USERS)
    half = len(messages) // 2
    lake.kafka.send(messages[:half])
    restart(lakehouse, {})

    old_ms = lake.now_ms - HOUR_MS
    lake.kafka.send([outgoing(lake.topics.clickstream, make_click(old_click(lake), 42, old_ms), 0)])
    lake.skip_to_newest()
    lake.wake()
    lake.kafka.send(messages[half:])
    lake.close()
    return lake


def old_click(lake: Lake) -> str:
    """A click id that no other stretch has."""
    return f"from before the restart {lake.zero_ms}"


def restart(lakehouse: RunningLakehouse, changes: Mapping[str, str]) -> None:
    """Stop the lakehouse, and start it with these settings; all others get their defaults."""
    lakehouse.stop()
    assert lakehouse.pids() == {}
    lakehouse.change(changes)
    lakehouse.start()


def test_job_continues_from_its_savepoint_after_a_stop(restarted: Lake) -> None:
    origin = restarted.flink.restored_from(restarted.flink.running_job())
    assert "/savepoint-" in origin["external_path"]


def test_nothing_is_lost_or_doubled_by_restarts(restarted: Lake) -> None:
    restarted.read().check()


def test_old_click_right_after_a_restart_is_late(restarted: Lake) -> None:
    rows = restarted.trino.query(
        f"select is_late from raw.clickstream where event_id = '{old_click(restarted)}'"
    )
    assert rows == [(True,)]


@pytest.mark.thorough
def test_nothing_is_lost_or_doubled_when_parallelism_and_state_backend_change(
    lakehouse: RunningLakehouse, restarted: Lake
) -> None:
    restarted.wake()
    messages = restarted.traffic(seed=4).journeys(USERS)
    third = len(messages) // 3
    restarted.kafka.send(messages[:third])
    restart(lakehouse, {"parallelism": "2", "state_backend": '"rocksdb"'})
    restarted.kafka.send(messages[third : 2 * third])
    restart(lakehouse, {})
    restarted.wake()
    restarted.kafka.send(messages[2 * third :])
    restarted.close()
    restarted.read().check()
