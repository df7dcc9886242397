"""Housekeeping: what the lake needs by itself, on the schedule of `[marts]` in tributary.toml.

- the data-driven attribution models learn, and the marts are built;
- more seldom, the marts are tested, and the audit is made and kept in a mart;
- the small files of the stream's newest partitions, one for each checkpoint, are merged, and more
  seldom those of the marts, one for each build;
- snapshots beyond the retention are expired, and the files that only they used are removed;
- a change capture that failed is started again, which Kafka Connect leaves to others;
- natively, the classes of each JVM are kept for its next start, once for the same jars.

What concerns tables goes through Trino as `etl`. It commutes with the job's commits: a merge of
files that loses a race against an append is tried again by Iceberg, or simply at the next turn.
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
from configuration.trino_client import TrinoClient, connect_trino
from flink_jobs.lake_tables import TABLES
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.operations.archives import save_archives
from infra.operations.audit import record_audit
from infra.services.connect import restart_if_failed
from infra.services.marts import check_marts, learn_weights, only_writer_of_marts, refresh_marts
from infra.services.model import Lakehouse

# Files larger than this are left as they are: merging them again would gain nothing.
SMALL_FILE = "16MB"
# What a writer holds in memory until it is written.
ROW_GROUP = "16MB"
EXPIRY_INTERVAL_HOURS = 6
MARTS_INTERVAL_HOURS = 1
ARCHIVES_INTERVAL_HOURS = 1
CAPTURE_INTERVAL_SECONDS = 20
# After a start, once the start itself no longer needs the machine; one task after the other.
FIRST_TURN_SECONDS = 60
SECONDS_APART = 45
LOG = logging.getLogger("housekeeping")


def merge_small_files(lakehouse: Lakehouse) -> None:
    """Rewrite the small files of the running partition and the one before into larger ones."""
    trino = _connect_for_merging(lakehouse)
    for table in TABLES:
        unit = table.partition_unit
        since = f"date_add('{unit}', -1, date_trunc('{unit}', now()))"
        [[literal]] = trino.query(f"select cast({since} as varchar)")
        trino.query(
            f"alter table {table.name} execute optimize(file_size_threshold => '{SMALL_FILE}')"
            f" where {table.partition_column} >= timestamp '{literal}'"
        )


def merge_files_of_marts(lakehouse: Lakehouse) -> None:
    """Rewrite what builds left of the marts: small files, and rows marked as deleted."""
    trino = _connect_for_merging(lakehouse)
    for mart in list_marts(trino):
        with only_writer_of_marts(lakehouse):
            trino.query(
                f"alter table {mart} execute optimize(file_size_threshold => '{SMALL_FILE}')"
            )


def _connect_for_merging(lakehouse: Lakehouse) -> TrinoClient:
    """One writer, small row groups: an hour of journeys at 1,000 events a second fits the heap."""
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    catalog = lakehouse.settings.pipeline.lake.catalog
    trino.query("set session task_max_writer_count = 1")
    trino.query(f"set session {catalog}.parquet_writer_block_size = '{ROW_GROUP}'")
    return trino


def expire_snapshots(lakehouse: Lakehouse) -> None:
    """Forget snapshots beyond the retention; never the newest one, which Flink's state knows."""
    hours = lakehouse.settings.pipeline.marts.snapshot_retention_hours
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    catalog = lakehouse.settings.pipeline.lake.catalog
    trino.query(f"set session {catalog}.expire_snapshots_min_retention = '{hours}h'")
    for table in (*(each.name for each in TABLES), *list_marts(trino)):
        trino.query(
            f"alter table {table} execute expire_snapshots(retention_threshold => '{hours}h')"
        )


def list_marts(trino: TrinoClient) -> list[str]:
    """The tables of the schema marts; its views have nothing to keep."""
    rows = trino.query(
        "select table_name from information_schema.tables"
        " where table_schema = 'marts' and table_type = 'BASE TABLE'"
    )
    return [f"marts.{name}" for (name,) in rows]


def keep_capturing(lakehouse: Lakehouse) -> None:
    """Start the change capture again if it failed, as it does when Kafka was away for long."""
    if restart_if_failed(lakehouse):
        LOG.warning("the change capture had failed; it is started again")


def main() -> None:
    """Run until SIGTERM, and end what runs at that time."""
    signal.signal(signal.SIGTERM, lambda *_: _end())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    settings = load_settings()
    lakehouse = Lakehouse(settings, load_secrets(settings), Parts(settings.parts, Reporter()))
    marts = settings.pipeline.marts
    scheduler = BlockingScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
    )
    tasks = [
        (keep_capturing, CAPTURE_INTERVAL_SECONDS, logging.DEBUG),
        # It looks whether it is time to as often as the marts are built.
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
    for place, (task, seconds, level) in enumerate(tasks):
        first = begin + timedelta(seconds=place * SECONDS_APART)
        turn = _logged(task.__name__, partial(task, lakehouse), level)
        scheduler.add_job(turn, "interval", seconds=seconds, next_run_time=first)
    scheduler.start()


def _end() -> None:
    """End dbt or the learning too: on their own they would go on writing marts."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGINT)  # dbt cancels its queries then
    psutil.wait_procs(children)
    os._exit(0)  # a thread that waits for Trino has nothing to leave in order


def _logged(name: str, task: Callable[[], None], level: int) -> Callable[[], None]:
    """A failed turn is one line in the log, a good one too at `level`; the next tries again."""

    def run() -> None:
        try:
            task()
            LOG.log(level, "%s: done", name)
        except TributaryError as error:
            LOG.error("%s: %s", name, error)
        except Exception:
            LOG.exception("%s failed; it is tried again at the next turn", name)

    return run


if __name__ == "__main__":
    main()
