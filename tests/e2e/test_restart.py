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
def resumed(lakehouse: RunningLakehouse, lake: Lake) -> Lake:
    """The lake after the job stopped and resumed in the middle of all journeys."""
    lake.wake()
    messages = lake.traffic(seed=2).journeys(USERS)
    half = len(messages) // 2
    lake.kafka.send(messages[:half])
    lakehouse.stop_job()
    assert lake.flink.running_job() == ""
    lakehouse.start_service("attribution")

    old_ms = lake.now_ms - HOUR_MS
    lake.kafka.send([outgoing(lake.topics.clickstream, make_click(old_click(lake), 42, old_ms), 0)])
    lake.skip_to_newest()
    lake.wake()
    lake.kafka.send(messages[half:])
    lake.close()
    return lake


def old_click(lake: Lake) -> str:
    """A click id that no other stretch has."""
    return f"from before the stop {lake.zero_ms}"


def test_job_continues_from_its_savepoint_after_a_stop(resumed: Lake) -> None:
    assert_resumed_from_savepoint(resumed)


def test_nothing_is_lost_or_doubled_when_the_job_stops_and_resumes(resumed: Lake) -> None:
    resumed.read().check()


def test_old_click_right_after_a_stop_is_late(resumed: Lake) -> None:
    rows = resumed.trino.query(
        f"select is_late from raw.clickstream where event_id = '{old_click(resumed)}'"
    )
    assert rows == [(True,)]


@pytest.mark.thorough
def test_nothing_is_lost_or_doubled_when_the_lakehouse_stops_and_its_settings_change(
    lakehouse: RunningLakehouse, resumed: Lake
) -> None:
    resumed.wake()
    messages = resumed.traffic(seed=4).journeys(USERS)
    third = len(messages) // 3
    resumed.kafka.send(messages[:third])
    restart(lakehouse, {"parallelism": "2", "state_backend": '"rocksdb"'})
    assert_resumed_from_savepoint(resumed)
    resumed.kafka.send(messages[third : 2 * third])
    restart(lakehouse, {})
    assert_resumed_from_savepoint(resumed)
    resumed.wake()
    resumed.kafka.send(messages[2 * third :])
    resumed.close()
    resumed.read().check()


def assert_resumed_from_savepoint(lake: Lake) -> None:
    origin = lake.flink.restored_from(lake.flink.running_job())
    assert "/savepoint-" in origin["external_path"]


def restart(lakehouse: RunningLakehouse, changes: Mapping[str, str]) -> None:
    """Stop the lakehouse, and start it with these settings; all others get their defaults."""
    lakehouse.stop()
    assert lakehouse.pids() == {}
    lakehouse.change(changes)
    lakehouse.start()
