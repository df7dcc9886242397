"""Housekeeping: what the lake needs by itself, on the schedule of `[marts]` in tributary.toml.

- the marts are built;
- the small files of the newest partitions, one for each checkpoint, are merged;
- snapshots beyond the retention are expired, and the files that only they used are removed.

All of it goes through Trino as `etl`. It commutes with the job's commits: a merge of files that
loses a race against an append is tried again by Iceberg, or simply at the next turn.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.schedulers.blocking import BlockingScheduler

from infra.errors import TributaryError
from infra.lakehouse import refresh_marts
from infra.parts import Parts
from infra.progress import Reporter
from infra.secrets import load_secrets
from infra.services import Lakehouse
from infra.settings import load_settings
from infra.trino_client import connect_trino

# Tables that the job appends to: the column and the unit of time that each is partitioned by.
STREAM_TABLES = {
    "raw.clickstream": ("occurred_at", "hour"),
    "raw.checkouts": ("occurred_at", "hour"),
    "raw.quarantine": ("ingested_at", "day"),
    "attribution.attributed_checkouts": ("checked_out_at", "hour"),
}
# Files larger than this are left as they are: merging them again would gain nothing.
SMALL_FILE = "16MB"
EXPIRY_INTERVAL_HOURS = 6
# After a start, once the start itself no longer needs the machine.
FIRST_TURN_SECONDS = 60
LOG = logging.getLogger("housekeeping")


def merge_small_files(lakehouse: Lakehouse) -> None:
    """Rewrite the small files of the running partition and the one before into larger ones."""
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    for table, (column, unit) in STREAM_TABLES.items():
        since = f"date_add('{unit}', -1, date_trunc('{unit}', now()))"
        [[literal]] = trino.query(f"select cast({since} as varchar)")
        trino.query(
            f"alter table {table} execute optimize(file_size_threshold => '{SMALL_FILE}')"
            f" where {column} >= timestamp '{literal}'"
        )


def expire_snapshots(lakehouse: Lakehouse) -> None:
    """Forget snapshots beyond the retention; never the newest one, which Flink's state knows."""
    hours = lakehouse.settings.meanings.marts.snapshot_retention_hours
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    catalog = lakehouse.settings.meanings.lake.catalog
    trino.query(f"set session {catalog}.expire_snapshots_min_retention = '{hours}h'")
    for table in STREAM_TABLES:
        trino.query(
            f"alter table {table} execute expire_snapshots(retention_threshold => '{hours}h')"
        )


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = load_settings()
    lakehouse = Lakehouse(settings, load_secrets(settings), Parts(settings.parts, Reporter()))
    marts = settings.meanings.marts
    scheduler = BlockingScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
    )
    for task, minutes in (
        (refresh_marts, marts.build_interval_minutes),
        (merge_small_files, marts.compaction_interval_minutes),
        (expire_snapshots, EXPIRY_INTERVAL_HOURS * 60),
    ):
        first = datetime.now(UTC) + timedelta(seconds=FIRST_TURN_SECONDS)
        turn = _logged(task.__name__, partial(task, lakehouse))
        scheduler.add_job(turn, "interval", minutes=minutes, next_run_time=first)
    scheduler.start()


def _logged(name: str, task: Callable[[], None]) -> Callable[[], None]:
    """A failed turn is one line in the log; the next turn tries again."""

    def run() -> None:
        try:
            task()
            LOG.info("%s: done", name)
        except TributaryError as error:
            LOG.error("%s: %s", name, error)
        except Exception:
            LOG.exception("%s failed; it is tried again at the next turn", name)

    return run


if __name__ == "__main__":
    main()
