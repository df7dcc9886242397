"""Services killed without warning: they come back by themselves, and nothing is lost."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

import psycopg2
import pytest

from configuration.errors import ServiceError
from configuration.waiting import wait_until
from flink_jobs.cluster import find_newest_restore_point
from infra.services.model import Lakehouse
from reference.events import make_click
from tests.support.clients import log_in, store
from tests.support.kills import kill, wait_until_back
from tests.support.lake import HOUR_MS, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import outgoing

USERS = 200
CHECKPOINT_SECONDS = 120
# For a checkpoint and its commits.
ROUND_SECONDS = 20
STRIKE_SECONDS = 300


def test_nothing_is_lost_or_doubled_when_the_taskmanager_is_killed(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    lake.wake()
    old_click = f"from before the kill {lake.now_ms}"
    messages = lake.traffic(seed=3).journeys(USERS)
    middle = len(messages) // 2
    lake.kafka.send(messages[:middle])
    kill(lakehouse, ["taskmanager"])
    old_ms = lake.now_ms - HOUR_MS
    lake.kafka.send([outgoing(lake.topics.clickstream, make_click(old_click, 42, old_ms), 0)])
    lake.kafka.send(messages[middle:])
    lake.close()
    lake.read().check()
    rows = lake.trino.query(f"select is_late from raw.clickstream where event_id = '{old_click}'")
    assert rows == [(True,)]


@pytest.mark.thorough
def test_nothing_is_lost_or_doubled_when_the_taskmanager_is_killed_during_commits(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    """The TaskManager dies when one table has a checkpoint's rows and the others do not."""
    pids = lakehouse.pids()
    seeds = count(5)

    def is_killed() -> bool:
        lake.wake()
        messages = lake.traffic(next(seeds)).journeys(USERS)
        with commits_of_one_table(lakehouse) as newest:
            before = newest()
            lake.kafka.send(messages)
            try:
                wait_until(lambda: newest() != before, ROUND_SECONDS, "the table's commit")
            except ServiceError:
                return False
            os.kill(pids["taskmanager"], signal.SIGKILL)
        return True

    wait_until(is_killed, STRIKE_SECONDS, "a round of commits that begins with raw.clickstream")
    wait_until_back(lakehouse, {"taskmanager": pids["taskmanager"]})
    lake.close()
    lake.read().check()


@contextmanager
def commits_of_one_table(lakehouse: RunningLakehouse) -> Iterator[Callable[[], Any]]:
    """Lock every table except raw.clickstream in the catalog; yield a query of its metadata file.

    One thread makes all commits of a round. If a round has already begun, or has no rows of
    raw.clickstream, it waits for the lock, and raw.clickstream waits with it. Then the caller must
    release the lock and try the next round.
    """
    is_it = "table_namespace = 'raw' and table_name = 'clickstream'"
    connection = psycopg2.connect(**log_in(lakehouse, "catalog", "catalog"))
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"select 1 from iceberg_tables where not ({is_it}) for update")

        def ask() -> Any:
            cursor.execute(f"select metadata_location from iceberg_tables where {is_it}")
            return cursor.fetchone()

        yield ask


@pytest.mark.thorough
def test_commit_that_lands_after_the_restart_is_not_made_again(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    """The killed TaskManager's commit waits in PostgreSQL, and so does the restored job's."""
    pids = lakehouse.pids()
    messages = lake.traffic(seed=6).journeys(USERS)
    lake.wake()
    with commits_to_clickstream_held_back(lakehouse) as count_waiting:
        lake.kafka.send(messages)
        wait_until(lambda: count_waiting() == 1, ROUND_SECONDS, "a commit that waits")
        os.kill(pids["taskmanager"], signal.SIGKILL)
        wait_until(lambda: count_waiting() == 2, STRIKE_SECONDS, "the restored job's commit")
    wait_until_back(lakehouse, {"taskmanager": pids["taskmanager"]})
    lake.close()
    lake.read().check()
    failures = lake.flink.failures(lake.flink.running_job())
    assert any("is already committed to this table" in each for each in failures), failures


@contextmanager
def commits_to_clickstream_held_back(
    lakehouse: RunningLakehouse,
) -> Iterator[Callable[[], int]]:
    """Lock raw.clickstream in the catalog; yield a count of the commits that wait for the lock."""
    login = log_in(lakehouse, "catalog", "catalog")
    with (
        closing(psycopg2.connect(**login)) as locking,
        closing(psycopg2.connect(**login)) as watching,
        locking.cursor() as lock,
        watching.cursor() as watch,
    ):
        watching.autocommit = True

        def count_waiting() -> int:
            watch.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
            [[count]] = watch.fetchall()
            return int(count)

        lock.execute(
            "select 1 from iceberg_tables"
            " where table_namespace = 'raw' and table_name = 'clickstream' for update"
        )
        yield count_waiting


@pytest.mark.thorough
def test_everything_recovers_when_all_services_are_killed_at_once(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    kill(lakehouse, lakehouse.pids())
    lake.wake()
    lake.kafka.send(lake.traffic(seed=4).journeys(USERS))
    lake.close()
    lake.read().check()


def test_newest_restore_point_is_found_when_an_old_savepoint_was_left_behind(
    lakehouse: RunningLakehouse, own: Lakehouse, lake: Lake
) -> None:
    """Flink removes a restore point that it has claimed, but a copy or a crash may leave one."""
    assert lake.flink.running_job()
    client = store(lakehouse, own.secrets.s3_flink_access_key, own.secrets.s3_flink_secret_key)
    bucket, left = own.settings.pipeline.lake.state_bucket, "savepoints/left"

    def find_newest() -> str | None:
        return find_newest_restore_point(own.settings, own.secrets)

    before = find_newest()
    client.put_object(bucket, f"{left}/_metadata", io.BytesIO(), 0)
    try:
        wait_until(
            lambda: find_newest() not in (before, f"s3://{bucket}/{left}"),
            CHECKPOINT_SECONDS,
            "a checkpoint newer than the savepoint left behind",
        )
    finally:
        client.remove_object(bucket, f"{left}/_metadata")
