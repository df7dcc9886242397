"""Killed without warning: everything comes back by itself, and has lost nothing."""

import io
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

import psycopg2
import requests

from flink_jobs.cluster import find_newest_restore_point
from flink_jobs.submission_names import JOB_NAME
from infra.errors import ServiceError
from infra.probes import FlinkJobProbe, Probe
from infra.services import Lakehouse as InfraLakehouse
from infra.waiting import wait_until
from reference.events import make_click
from tests.support.clients import log_in, store
from tests.support.lake import Lake
from tests.support.lakehouses import Lakehouse
from tests.support.traffic import SECOND_MS, Traffic, outgoing

USERS = 200
OLD_CLICK = "from before the kill"
# Of a machine whose cores are busy with the same starts; it is a minute on an idle one.
RECOVERY_SECONDS = 420
CHECKPOINT_SECONDS = 120
# Of a checkpoint, and of its commits.
ROUND_SECONDS = 20
STRIKE_SECONDS = 300


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


def test_nothing_is_lost_or_doubled_when_the_worker_is_killed_amid_its_commits(
    lakehouse: Lakehouse, lake: Lake
) -> None:
    """One table has a checkpoint's rows, others can't have them yet, and the worker dies."""
    pids = lakehouse.pids()
    seeds = count(5)

    def is_killed() -> bool:
        lake.wake()
        messages = Traffic(lake.meanings, next(seeds), lake.now_ms).journeys(USERS)
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
def commits_of_one_table(lakehouse: Lakehouse) -> Iterator[Callable[[], Any]]:
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


def test_everything_comes_back_when_all_is_killed_at_once(
    lakehouse: Lakehouse, crafted: Lake
) -> None:
    kill(lakehouse, lakehouse.pids())
    lake = crafted
    lake.skip_to_newest()
    lake.wake()
    lake.kafka.send(Traffic(lake.meanings, seed=4, zero_ms=lake.now_ms).journeys(USERS))
    lake.close()
    lake.read().check()


def test_a_job_resumes_from_the_newest_point_when_an_older_one_was_left(
    lakehouse: Lakehouse, own: InfraLakehouse, lake: Lake
) -> None:
    """Flink removes what it has claimed; a copy or a crash may leave one behind."""
    assert lake.flink.running_job()
    client = store(lakehouse, "flink", own.secrets.s3_flink_secret_key)
    bucket, left = own.settings.meanings.lake.state_bucket, "savepoints/left"

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


def kill(lakehouse: Lakehouse, names: Iterable[str]) -> None:
    """SIGKILL these services' processes, and wait until each has another one and a job runs."""
    pids = lakehouse.pids()
    killed = {name: pids[name] for name in names}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    wait_until_back(lakehouse, killed)


def wait_until_back(lakehouse: Lakehouse, killed: Mapping[str, int]) -> None:
    """Each service has another process than the one that was killed, and a job runs."""
    job = FlinkJobProbe(lakehouse.environment["FLINK_URL"], JOB_NAME)

    def is_back() -> bool:
        running = lakehouse.pids()
        is_each = all(running.get(name, pid) != pid for name, pid in killed.items())
        return is_each and _holds(job)

    wait_until(is_back, RECOVERY_SECONDS, f"{', '.join(killed)} and the job to come back")


def _holds(probe: Probe) -> bool:
    try:
        return probe.holds()
    except requests.RequestException:  # its JobManager is not back yet
        return False
