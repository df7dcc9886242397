"""How large the job's state is during a day of event time, and how many bytes a click takes in it.

    make bench-state [RATE=12]

Measures the running job, not a bounded one. It sends the simulated shop's messages one hour at a
time. When the job has read an hour, it takes the size of the next checkpoint, and counts the clicks
within the lookback at the end of that hour. The quotient is bytes a click; it includes all other
state (waiting checkouts, answered ids, offsets).
"""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import click
from rich.table import Table

from benchmarks.stream.lakehouse import has_read_all, own_lakehouse
from configuration import REPOSITORY
from configuration.flink_client import open_flink_session
from configuration.settings import Settings
from configuration.waiting import wait_until
from flink_jobs.cluster import Cluster
from flink_jobs.lake_tables import open_catalog
from infra.install.progress import console
from infra.services.homes import remove_state
from infra.services.model import Lakehouse

STATE = REPOSITORY / ".lakehouse-bench-state"
START = datetime(2026, 1, 5, tzinfo=UTC)
HOURS = 24
HOUR_SECONDS = 3600
READ_SECONDS = 300


@click.command()
@click.option("--rate", default=12, show_default=True, help="Events a second of event time.")
def main(rate: int) -> None:
    """Send a day, one hour at a time, and print the size of the state after each."""
    # If an earlier run had already sent this day, every hour would be late.
    remove_state(STATE)
    with own_lakehouse(STATE, ("taskmanager", "attribution")) as (lakehouse, environment):
        settings = lakehouse.settings
        table = Table("hour", "checkpoint, bytes", "clicks in it", "bytes a click", box=None)
        for hour in range(HOURS):
            send_hour(hour, rate, environment)
            size = next_checkpoint_bytes(settings)
            clicks = count_clicks(lakehouse, hour)
            table.add_row(str(hour), f"{size:,}", f"{clicks:,}", f"{size / clicks:.0f}")
            console.print(f"  hour {hour}: {size:,} bytes, {clicks:,} clicks")
    console.print(table)


def send_hour(hour: int, rate: int, environment: dict[str, str]) -> None:
    """Send an hour's messages as fast as possible."""
    start = START + timedelta(hours=hour)
    subprocess.run(
        [
            *(sys.executable, "-m", "producer", "--no-shop", "--speed", "max"),
            *("--rate", str(rate), "--count", str(rate * HOUR_SECONDS), "--seed", str(hour)),
            *("--start", start.isoformat()),
        ],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def count_clicks(lakehouse: Lakehouse, hour: int) -> int:
    """Number of clicks within the lookback, which is one hour, at the end of the hour."""
    begin = START + timedelta(hours=hour)
    end = begin + timedelta(hours=1)
    table = open_catalog(lakehouse.settings, lakehouse.secrets).load_table("raw.clickstream")
    scan = table.scan(
        f"event_type == 'click' and occurred_at >= '{begin.isoformat()}'"
        f" and occurred_at < '{end.isoformat()}'",
        ("event_id",),
    )
    return int(scan.to_arrow().num_rows)


def next_checkpoint_bytes(settings: Settings) -> int:
    """Size of the first checkpoint that begins after the job has read everything."""
    wait_until(lambda: has_read_all(settings), READ_SECONDS, "the job")
    since_ms = time.time() * 1000
    newest = {"trigger_timestamp": 0, "state_size": 0}

    def is_newer() -> bool:
        newest.update(_newest_checkpoint(settings) or {})
        return newest["trigger_timestamp"] > since_ms

    wait_until(is_newer, READ_SECONDS, "a checkpoint")
    return newest["state_size"]


def _newest_checkpoint(settings: Settings) -> dict[str, int] | None:
    url = settings.topology.flink.url
    job = Cluster(settings).attribution_job()
    assert job
    with open_flink_session(settings) as session:
        reply = session.get(f"{url}/jobs/{job.job_id}/checkpoints", timeout=30).json()
    completed: dict[str, int] | None = reply["latest"]["completed"]
    return completed


if __name__ == "__main__":
    main()
