"""Stopped and run again, on purpose: nothing is lost, nothing doubled, nothing changed."""

from collections.abc import Mapping

import pytest

from reference.events import make_click
from tests.support.lake import HOUR_MS, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import outgoing

USERS = 200


def test_nothing_changes_when_it_is_run_while_it_runs(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    job = lake.flink.running_job()
    before = lakehouse.pids()
    lakehouse.start()
    assert lakehouse.pids() == before
    assert lake.flink.running_job() == job


@pytest.fixture(scope="module")
def restarted(lakehouse: RunningLakehouse, lake: Lake) -> Lake:
    """The lake after stops and starts in the middle of everybody's journeys.

    Each savepoint is of another parallelism and state backend than what continues from it.
    """
    lake.wake()
    messages = lake.traffic(seed=2).journeys(USERS)
    third = len(messages) // 3
    lake.kafka.send(messages[:third])
    restart(lakehouse, {"parallelism": "2", "state_backend": '"rocksdb"'})
    lake.kafka.send(messages[third : 2 * third])
    restart(lakehouse, {})

    old_ms = lake.now_ms - HOUR_MS
    lake.kafka.send([outgoing(lake.topics.clickstream, make_click(old_click(lake), 42, old_ms), 0)])
    lake.skip_to_newest()
    lake.wake()
    lake.kafka.send(messages[2 * third :])
    lake.close()
    return lake


def old_click(lake: Lake) -> str:
    """An id that no other stretch has."""
    return f"from before the restart {lake.zero_ms}"


def restart(lakehouse: RunningLakehouse, changes: Mapping[str, str]) -> None:
    """Stop it, and start it with these settings and defaults for the rest."""
    lakehouse.stop()
    assert lakehouse.pids() == {}
    lakehouse.change(changes)
    lakehouse.start()


def test_job_continues_from_its_savepoint_when_it_was_stopped(restarted: Lake) -> None:
    origin = restarted.flink.restored_from(restarted.flink.running_job())
    assert "/savepoint-" in origin["external_path"]


def test_nothing_is_lost_or_doubled_when_it_was_stopped_between(restarted: Lake) -> None:
    restarted.read().check()


def test_old_row_is_late_when_it_is_the_first_after_a_restart(restarted: Lake) -> None:
    rows = restarted.trino.query(
        f"select is_late from raw.clickstream where event_id = '{old_click(restarted)}'"
    )
    assert rows == [(True,)]
