"""Housekeeping: scheduled work on the lake. `[marts]` in tributary.toml sets most intervals.

- train the data-driven attribution models and build the marts;
- less often, test the marts, run the audit and write its result to a mart;
- merge the small files of the stream tables' newest partitions, one file for each checkpoint; less
  often, merge those of the marts, one file for each build;
- expire snapshots older than the retention, and remove the files that only they use;
- restart a failed change capture, because Kafka Connect does not;
- natively, save each JVM's classes for its next start, once for each set of jars.

Work on tables goes through Trino as `etl`. It is safe beside the job's commits: if a file merge
loses a race against an append, Iceberg retries it, or the next run of the task does.
"""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import psutil
from apscheduler.schedulers.blocking import BlockingScheduler

from configuration.errors import TributaryError
from configuration.secrets import load_secrets
from configuration.settings import load_settings
from configuration.terminal import EscapingFormatter
from configuration.trino_client import TrinoClient, connect_trino
from flink_jobs.lake_tables import TABLES
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.operations.archives import save_archives
from infra.operations.audit import record_audit
from infra.services.connect import restart_if_failed
from infra.services.marts import (
    check_marts,
    learn_weights,
    list_marts,
    only_writer_of_marts,
    refresh_marts,
)
from infra.services.model import Lakehouse

# Larger files are not merged, because that would gain nothing.
SMALL_FILE = "16MB"
# A writer keeps this much in memory before it writes.
ROW_GROUP = "16MB"
EXPIRY_INTERVAL_HOURS = 6
MARTS_INTERVAL_HOURS = 1
ARCHIVES_INTERVAL_HOURS = 1
CAPTURE_INTERVAL_SECONDS = 20
# Delay of the first task, because the start itself needs the CPU; the others follow one by one.
FIRST_TURN_SECONDS = 60
SECONDS_APART = 45
LOG = logging.getLogger("housekeeping")


def merge_small_files(lakehouse: Lakehouse) -> None:
    """Merge the small files of the current and the previous partition into larger ones.

    Selects files by the time of their writing. Trino refuses a predicate on the partition's column
    as long as the table has files of an older partitioning.
    """
    trino = _connect_for_merging(lakehouse)
    for table in TABLES:
        unit = table.partition_unit
        since = f"date_add('{unit}', -1, date_trunc('{unit}', now()))"
        [[literal]] = trino.query(f"select cast({since} as varchar)")
        trino.query(
            f"alter table {table.name} execute optimize(file_size_threshold => '{SMALL_FILE}')"
            f" where \"$file_modified_time\" >= timestamp '{literal}'"
        )


def merge_files_of_marts(lakehouse: Lakehouse) -> None:
    """Merge the small files that mart builds leave, and remove rows marked as deleted."""
    trino = _connect_for_merging(lakehouse)
    for mart in list_marts(trino):
        with only_writer_of_marts(lakehouse, f"merging the files of {mart}"):
            trino.query(
                f"alter table {mart} execute optimize(file_size_threshold => '{SMALL_FILE}')"
            )


def _connect_for_merging(lakehouse: Lakehouse) -> TrinoClient:
    """Open a session with one writer and small row groups.

    With these, merging an hour of journeys at 1,000 events/s fits into Trino's heap.
    """
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    catalog = lakehouse.settings.pipeline.lake.catalog
    trino.query("set session task_max_writer_count = 1")
    trino.query(f"set session {catalog}.parquet_writer_block_size = '{ROW_GROUP}'")
    return trino


def expire_snapshots(lakehouse: Lakehouse) -> None:
    """Expire snapshots older than the retention, never the newest: Flink's state refers to it."""
    hours = lakehouse.settings.pipeline.marts.snapshot_retention_hours
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    catalog = lakehouse.settings.pipeline.lake.catalog
    trino.query(f"set session {catalog}.expire_snapshots_min_retention = '{hours}h'")
    for table in (*(each.name for each in TABLES), *list_marts(trino)):
        trino.query(
            f"alter table {table} execute expire_snapshots(retention_threshold => '{hours}h')"
        )


def keep_capturing(lakehouse: Lakehouse) -> None:
    """Restart the change capture if it failed, as it does after Kafka was down for long."""
    if restart_if_failed(lakehouse):
        LOG.warning("restarted the change capture, which had failed; `make status` says why")


def main() -> None:
    """Run until SIGTERM, then stop running tasks."""
    signal.signal(signal.SIGTERM, lambda *_: _end())
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    settings = load_settings()
    lakehouse = Lakehouse(settings, load_secrets(settings), Parts(settings.parts, Reporter()))
    marts = settings.pipeline.marts
    scheduler = BlockingScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
    )
    tasks = [
        (keep_capturing, CAPTURE_INTERVAL_SECONDS, logging.DEBUG),
        # Before each mart build; it trains only if learning_interval_minutes have passed.
        (learn_weights, marts.build_interval_minutes * 60, logging.DEBUG),
        (refresh_marts, marts.build_interval_minutes * 60, logging.INFO),
        (record_audit, marts.test_interval_minutes * 60, logging.INFO),
        (check_marts, marts.test_interval_minutes * 60, logging.INFO),
        (merge_small_files, marts.compaction_interval_minutes * 60, logging.INFO),
        (merge_files_of_marts, MARTS_INTERVAL_HOURS * 3600, logging.INFO),
        (expire_snapshots, EXPIRY_INTERVAL_HOURS * 3600, logging.INFO),
    ]
    if not settings.is_in_containers:
        tasks.append((save_archives, ARCHIVES_INTERVAL_HOURS * 3600, logging.DEBUG))
    begin = datetime.now(UTC) + timedelta(seconds=FIRST_TURN_SECONDS)
    for index, (task, seconds, level) in enumerate(tasks):
        first = begin + timedelta(seconds=index * SECONDS_APART)
        run = _logged(task.__name__, partial(task, lakehouse), level)
        scheduler.add_job(run, "interval", seconds=seconds, next_run_time=first)
    scheduler.start()


def _end() -> None:
    """Stop child processes, then exit: without us, dbt or training would go on writing marts."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGINT)  # on SIGINT, dbt cancels its queries
    psutil.wait_procs(children)
    os._exit(0)  # don't wait for threads: one that waits for Trino has nothing to clean up


def _logged(name: str, task: Callable[[], None], level: int) -> Callable[[], None]:
    """Wrap a task: log success at `level` and failure as an error; never raise.

    A failed task runs again at its next time.
    """

    def run() -> None:
        try:
            task()
            LOG.log(level, "%s: done", name)
        except TributaryError as error:
            LOG.error("%s: %s", name, error)
        except Exception:
            LOG.exception("%s failed; it runs again at its next scheduled time", name)

    return run


if __name__ == "__main__":
    main()
