"""How fast the live dashboards are with a busy shop's day in the lake.

    make bench-live [RATE=1000]

Uses its own lakehouse (`.lakehouse-bench-live`, recreated each time). The simulated shop sends the
last hour at RATE events a second, and the job reads it. The 23 hours before are copies of that
hour, made in Trino. Then each dashboard on live views is measured as in `make bench-marts`.
"""

import click

from benchmarks.marts import (
    CHANGES,
    STREAM_TABLES,
    WANTED,
    Sender,
    chart_table,
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
    """Fill the lake with a day of events, then measure the charts."""
    remove_state(STATE)
    with own_lakehouse(STATE, WANTED, CHANGES) as (lakehouse, environment):
        trino = connect_trino(lakehouse.settings, lakehouse.secrets)
        caught_up = Sender(environment, rate, hours=1).send(1, lakehouse)
        console.print(f"sent and read: {caught_up:,.0f} messages/s")
        # Housekeeping does this every few minutes.
        console.print(f"merged its small files: {measure(merge_small_files, lakehouse):.0f} s")
        # Housekeeping does this too, and a dashboard shows the result. The audit must come before
        # the copies, because these have no messages in Kafka.
        console.print(f"audited that hour: {measure(record_audit, lakehouse):.0f} s")
        copy_back(trino, range(1, HOURS), "hour", STREAM_TABLES)
        [[events]] = trino.query("select count(*) from raw.clickstream")
        charts = chart_table()
        measure_charts(lakehouse, DASHBOARDS, charts, f"{events:,} events")
    console.print(charts)


if __name__ == "__main__":
    main()
