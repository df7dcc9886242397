"""How fast the live dashboards are with a day of a busy shop in the lake.

    make bench-live [RATE=1000]

A lakehouse of its own (`.lakehouse-bench-live`, begun anew each time). The simulated shop sends the
last hour at RATE events a second, the job reads it, and the 23 hours before are copies of that one,
made in Trino. Then each dashboard over live views is measured as by `make bench-marts`.
"""

import click

from benchmarks.marts import (
    CHANGES,
    STREAM_TABLES,
    WANTED,
    Sender,
    copy_back,
    measure,
    measure_charts,
)
from benchmarks.stream.lakehouse import own_lakehouse
from configuration import REPOSITORY
from configuration.trino_client import connect_trino
from infra.install.progress import console
from infra.operations.audit import record_audit
from infra.operations.housekeeping import merge_small_files
from infra.services.homes import remove_state

STATE = REPOSITORY / ".lakehouse-bench-live"
DASHBOARDS = ("last-hour", "pipeline")
HOURS = 24


@click.command()
@click.option("--rate", default=1000, show_default=True)
def main(rate: int) -> None:
    """Fill a day, then measure the charts."""
    remove_state(STATE)
    with own_lakehouse(STATE, WANTED, CHANGES) as (lakehouse, environment):
        trino = connect_trino(lakehouse.settings, lakehouse.secrets)
        caught_up = Sender(environment, rate, hours=1).send(1, lakehouse)
        console.print(f"sent and read: {caught_up:,.0f} messages/s")
        # As the schedule does, every few minutes.
        console.print(f"its small files merged: {measure(merge_small_files, lakehouse):.0f} s")
        # As the schedule does too; a dashboard shows it. Copied hours are no messages of Kafka's.
        console.print(f"an audit of that hour: {measure(record_audit, lakehouse):.0f} s")
        copy_back(trino, HOURS - 1, "hour", STREAM_TABLES)
        [[events]] = trino.query("select count(*) from raw.clickstream")
        console.print(f"{events:,} rows of raw.clickstream")
        charts = measure_charts(lakehouse, DASHBOARDS)
    console.print(charts)


if __name__ == "__main__":
    main()
