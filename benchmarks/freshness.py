"""How old an event is when Trino first shows it: percentiles for a running lakehouse.

Polls Trino for new rows, as a dashboard would. A row's age is the time of the answer minus the
row's event time. Rows that exist at the first query and rows flagged late do not count. At high
rates, only a sample of the rows counts.

    make bench-freshness                                  # the running lakehouse's own producer
    PRODUCER=off make run && make bench-freshness RATES="100 1000 10000"
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from configuration.secrets import load_secrets
from configuration.settings import load_settings
from configuration.trino_client import TrinoClient, connect_trino
from infra.install.progress import console

TABLES = {
    "raw.clickstream": ("event_id", "occurred_at", "not is_late"),
    "attribution.attributed_checkouts": ("checkout_id", "checked_out_at", "true"),
}
PERCENTILES = (0.5, 0.95, 0.99)
# Look only at rows with an event time in this window; older ones were not just committed.
WINDOW_SECONDS = 60
POLL_SECONDS = 0.5
# Time for the job to adapt to the rate and for its code to be compiled.
WARM_UP_SECONDS = 40
SAMPLES_A_SECOND = 50


class Freshness:
    """When one table's rows first became visible."""

    def __init__(self, trino: TrinoClient, name: str, one_of: int) -> None:
        key, column, condition = TABLES[name]
        self._trino = trino
        self._statement = (
            f"select {key}, {column} from {name} where {condition}"
            f" and {column} > now() - interval '{WINDOW_SECONDS}' second"
            f" and from_big_endian_64(xxhash64(to_utf8({key}))) % {one_of} = 0"
        )
        self._seen = {row[0] for row in self._ask()}
        self.ages_seconds: list[float] = []

    def look(self) -> None:
        """Query once and record the age of every new row."""
        rows = self._ask()
        answered_at = datetime.now(UTC)
        fresh = [row for row in rows if row[0] not in self._seen]
        self._seen.update(row[0] for row in fresh)
        self.ages_seconds += [(answered_at - row[1]).total_seconds() for row in fresh]

    def _ask(self) -> list[list[Any]]:
        return self._trino.query(self._statement)


@click.command()
@click.option("--seconds", default=120, show_default=True, help="Duration of each measurement.")
@click.option("--rates", default="", help="Events a second to send, one rate after another.")
def main(seconds: int, rates: str) -> None:
    """Measure a running lakehouse: its own events, or events sent at the given rates."""
    if not rates:
        console.print(measure(seconds, one_of=1))
    for rate in map(int, rates.split()):
        with sending(rate):
            console.print(f"{rate} events a second")
            time.sleep(WARM_UP_SECONDS)
            console.print(measure(seconds, one_of=max(1, rate // SAMPLES_A_SECOND)))


@contextmanager
def sending(rate: int) -> Iterator[None]:
    """Run the simulated shop at this rate."""
    command = [sys.executable, "-m", "producer", "--no-shop", "--rate", str(rate)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as producer:
        try:
            yield
        finally:
            producer.terminate()


def measure(seconds: int, one_of: int) -> Table:
    """Measure for some seconds; return a table of percentiles."""
    settings = load_settings()
    trino = connect_trino(settings, load_secrets(settings))
    watched = {name: Freshness(trino, name, one_of) for name in TABLES}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for freshness in watched.values():
            freshness.look()
        time.sleep(POLL_SECONDS)
    table = Table(box=None)
    for column in ("seconds from event to Trino", "rows", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="left" if column.startswith("s") else "right")
    for name, freshness in watched.items():
        table.add_row(name, str(len(freshness.ages_seconds)), *_summary(freshness.ages_seconds))
    return table


def _summary(ages: list[float]) -> list[str]:
    ordered = sorted(ages)
    if not ordered:
        return ["-"] * (len(PERCENTILES) + 1)
    picked = [ordered[int(share * (len(ordered) - 1))] for share in PERCENTILES]
    return [f"{age:.1f}" for age in (*picked, ordered[-1])]


if __name__ == "__main__":
    main()
