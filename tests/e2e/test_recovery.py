"""Killed without warning: everything comes back by itself, and has lost nothing."""

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
from flink_jobs.cluster import find_newest_restore_point
from infra.install.waiting import wait_until
from infra.services.model import Lakehouse
from reference.events import make_click
from tests.support.clients import log_in, store
from tests.support.kills import kill, wait_until_back
from tests.support.lake import HOUR_MS, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import outgoing

USERS = 200
CHECKPOINT_SECONDS = 120
# Of a checkpoint, and of its commits.
ROUND_SECONDS = 20
STRIKE_SECONDS = 300


def test_nothing_is_lost_or_doubled_when_the_worker_is_killed_at_work(
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
def test_nothing_is_lost_or_doubled_when_the_worker_is_killed_amid_its_commits(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    """One table has a checkpoint's rows, others can't have them yet, and the worker dies."""
    pids = lakehouse.pids()
    seeds = count(5)

    def is_killed() -> bool:
        lake.wake()
        messages = lake.traffic(next(seeds)).journeys(USERS)
        with commits_of_one_table(lakehouse) as newest:
            before = newest()
            lake.kafka.send(messages)
            try:
                wait_until(lambda: newest() != before, ROUND_SECONDS, "its commit")
            except ServiceError:
                return False
            os.kill(pids["taskmanager"], signal.SIGKILL)
        return True

    wait_until(is_killed, STRIKE_SECONDS, "a round of commits that this table begins")
    wait_until_back(lakehouse, {"taskmanager": pids["taskmanager"]})
    lake.close()
    lake.read().check()


@contextmanager
def commits_of_one_table(lakehouse: RunningLakehouse) -> Iterator[Callable[[], Any]]:
    """Locks every table but raw.clickstream in the catalog; asks where that one's metadata are.

    One thread makes all commits of a round. A round that has rows of other tables alone, or is
    under way already, waits for the lock, and this table with it: let go, and try the next one.
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
def test_everything_comes_back_when_all_is_killed_at_once(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    kill(lakehouse, lakehouse.pids())
    lake.wake()
    lake.kafka.send(lake.traffic(seed=4).journeys(USERS))
    lake.close()
    lake.read().check()


def test_a_job_resumes_from_the_newest_point_when_an_older_one_was_left(
    lakehouse: RunningLakehouse, own: Lakehouse, lake: Lake
) -> None:
    """Flink removes what it has claimed; a copy or a crash may leave one behind."""
    assert lake.flink.running_job()
    client = store(lakehouse, "flink", own.secrets.s3_flink_secret_key)
    bucket, left = own.settings.pipeline.lake.state_bucket, "savepoints/left"

    def find_newest() -> str | None:
        return find_newest_restore_point(own.settings, own.secrets)

    before = find_newest()
    client.put_object(bucket, f"{left}/_metadata", io.BytesIO(), 0)
    try:
        wait_until(
            lambda: find_newest() not in (before, f"s3://{bucket}/{left}"),
            CHECKPOINT_SECONDS,
            "a checkpoint newer than what was left to be the newest",
        )
    finally:
        client.remove_object(bucket, f"{left}/_metadata")
