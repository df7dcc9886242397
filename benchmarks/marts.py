"""What an hour's marts cost as history grows, and how fast a dashboard's charts are then.

    make bench-marts [EVENTS_A_DAY=1000000]

A lakehouse of its own (`.lakehouse-bench-marts`, begun anew each time). The simulated shop sends a
day, the job reads it, the marts are built; then hour after hour comes in, each followed by a build,
as on the schedule. The same again with ten days of history: nine earlier days are copies of the
first one, made in Trino, with times and ids of their own, in the marts too, where the schedule
would have built them hour by hour. At the end every dashboard is opened in Chromium several times,
and Trino tells how long each of its queries took; then each query runs alone.
"""

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from statistics import mean, median, quantiles
from tempfile import TemporaryDirectory

import click
from rich.table import Table

from benchmarks.stream.lakehouse import has_read_all, own_lakehouse
from configuration import REPOSITORY
from configuration.environment import user_environment
from configuration.trino_client import TrinoClient, connect_trino
from infra.install.progress import console
from infra.install.waiting import wait_until
from infra.operations.audit import record_audit
from infra.operations.housekeeping import list_marts
from infra.services.homes import remove_state
from infra.services.marts import REFRESH, run_dbt
from infra.services.model import Lakehouse
from producer.shop import diurnal_factor

STATE = REPOSITORY / ".lakehouse-bench-marts"
WANTED = ("taskmanager", "attribution", "change-capture", "trino", "superset", "dashboards")
STREAM_TABLES = ("raw.clickstream", "raw.checkouts", "attribution.attributed_checkouts")
# When a row came in, by the table.
SEEN = ("ingested_at", "attributed_at", "latest_ingested_at")
IDS = ("event_id", "checkout_id", "session_id", "click_id")
DASHBOARDS = ("last-hour", "attribution", "pipeline")
# Some messages are late, as in life: a chart shows them.
CHANGES = {"late_share": "0.005"}
DAYS = 10
ROUNDS = 3
OPENINGS = 3
ALONE_TIMES = 4
# What makes the same chart's query another text each time.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+")
DAY_SECONDS, HOUR_SECONDS = 86_400, 3600
READ_SECONDS = 900
COMMIT_SECONDS = 15
# A busy hour's journeys at once are more than Trino's heap has for a query.
COPY_PARTS = 4
OVERLAP_SECONDS = 60


@click.command()
@click.option("--events-a-day", default=1_000_000, show_default=True)
def main(events_a_day: int) -> None:
    """Measure builds at one day and at ten days of history, then the charts."""
    remove_state(STATE)
    table = Table("history", "build of an hour, s", "without news, s", box=None)
    with own_lakehouse(STATE, WANTED, CHANGES) as (lakehouse, environment):
        trino = connect_trino(lakehouse.settings, lakehouse.secrets)
        shop = Sender(environment, events_a_day / DAY_SECONDS)
        shop.send(24 - 2 * ROUNDS, lakehouse)
        console.print(f"a day's marts from scratch: {measure(rebuild, lakehouse):.0f} s")
        # As the schedule does; a dashboard shows it. Copied days are no messages of Kafka's.
        console.print(f"an audit of that: {measure(record_audit, lakehouse):.0f} s")
        for days in (1, DAYS):
            if days > 1:
                copy_back(trino, days - 1, "day", (*STREAM_TABLES, *marts_of_events(trino)))
            hours = []
            for _ in range(ROUNDS):
                time.sleep(OVERLAP_SECONDS)
                shop.send(1, lakehouse)
                hours.append(measure(refresh, lakehouse))
            time.sleep(OVERLAP_SECONDS)
            idle = measure(refresh, lakehouse)
            [[events]] = trino.query("select count(*) from raw.clickstream")
            row = f"{events:,} events", f"{median(hours):.1f}", f"{idle:.1f}"
            console.print(*row)
            table.add_row(*row)
        charts = measure_charts(lakehouse, DASHBOARDS)
    console.print(table)
    console.print(charts)


class Sender:
    """The simulated shop, hour by hour up to now, on time as the job sees it."""

    def __init__(self, environment: dict[str, str], rate: float, hours: int = 24) -> None:
        self._environment, self._rate = environment, rate
        self._at = datetime.now(UTC) - timedelta(hours=hours)

    def send(self, hours: int, lakehouse: Lakehouse) -> float:
        """Send so many hours until the job has them; returns messages a second of all that.

        The rate is that of these hours, whatever the shop's time of day: at the mean of a whole
        day's, the messages of an hour at night would not be sent before the morning.
        """
        count = round(self._rate * HOUR_SECONDS * hours)
        minutes = [self._at + timedelta(minutes=minute) for minute in range(round(hours * 60))]
        time_of_day = mean(diurnal_factor(at.timestamp() * 1000) for at in minutes)
        begin = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-m", "producer", "--speed", "max"),
                *("--rate", str(self._rate / time_of_day)),
                *("--count", str(count), "--start", self._at.isoformat()),
                *("--seed", str(int(self._at.timestamp()))),
            ],
            cwd=REPOSITORY,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self._at += timedelta(hours=hours)
        wait_until(
            lambda: has_read_all(lakehouse.settings), READ_SECONDS, "the job to read what was sent"
        )
        rate = count / (time.perf_counter() - begin)
        time.sleep(COMMIT_SECONDS)  # the answers follow with the next checkpoint
        return rate


def marts_of_events(trino: TrinoClient) -> list[str]:
    """All marts but the dimensions, which are made of the shop's changes."""
    return [mart for mart in list_marts(trino) if not mart.startswith("marts.dim_")]


def copy_back(trino: TrinoClient, times: int, unit: str, tables: Sequence[str]) -> None:
    """Give tables an earlier history: copies of their newest `unit` (hour, day), so many times."""
    columns: dict[str, dict[str, str]] = defaultdict(dict)
    for table, column, kind in trino.query(
        "select table_schema || '.' || table_name, column_name, data_type"
        " from information_schema.columns"
        " where table_schema in ('raw', 'attribution', 'marts') order by 1, ordinal_position"
    ):
        columns[table][column] = kind
    [[newest]] = trino.query("select cast(max(ingested_at) as varchar) from raw.clickstream")
    for table in tables:
        seen = next((each for each in SEEN if each in columns[table]), None)
        if seen is None:
            continue  # not made of the stream's rows
        latest = f"{seen} > timestamp '{newest}' - interval '1' {unit}"
        for back, part in product(range(1, times + 1), range(COPY_PARTS)):
            moved = ", ".join(move(*column, back, unit) for column in columns[table].items())
            trino.query(
                f"insert into {table} select {moved} from {table}"
                f" where {latest} and second({seen}) % {COPY_PARTS} = {part}"
            )
        console.print(f"  {table}: {times} times the newest {unit}")


def move(column: str, kind: str, back: int, unit: str) -> str:
    """A column of the same row so many hours or days earlier."""
    if column in IDS:
        return f"{column} || '-{back}'"
    if kind.startswith("timestamp"):
        return f"{column} - interval '{back}' {unit}"
    return column


def rebuild(lakehouse: Lakehouse) -> None:
    """The hourly marts from scratch."""
    build(lakehouse, "--full-refresh")


def refresh(lakehouse: Lakehouse) -> None:
    """The schedule's build, but for the rows it takes for new, which are the last minute's.

    On the schedule those are the last hour's and a quarter's; here a whole day came in by then.
    """
    build(lakehouse, "--vars", f"{{restatement_overlap_minutes: {OVERLAP_SECONDS // 60}}}")


def build(lakehouse: Lakehouse, *arguments: str) -> None:
    """The models that the schedule builds."""
    if code := run_dbt(lakehouse, "--quiet", *REFRESH, *arguments):
        raise SystemExit(code)


def measure(work: Callable[[Lakehouse], None], lakehouse: Lakehouse) -> float:
    """Seconds that a build takes."""
    begin = time.perf_counter()
    work(lakehouse)
    return time.perf_counter() - begin


def measure_charts(lakehouse: Lakehouse, dashboards: Sequence[str]) -> Table:
    """Open each dashboard, all of whose charts then ask at once, and let each query run alone.

    Opened: what Trino took for a query, from its arrival to its end, with its turn to wait for.
    """
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    table = Table(
        *("dashboard", "queries", "opened: p50, ms", "p95, ms"),
        *("alone: p50, ms", "p95, ms", "slowest, ms"),
        box=None,
    )
    for slug in dashboards:
        opened = open_dashboard(lakehouse, trino, slug)
        queries = {MOMENT.sub("", query): query for query, _ in opened}
        alone = [
            measure_query(trino, query) for query in queries.values() for _ in range(ALONE_TIMES)
        ]
        row = (
            *(slug, str(len(queries)), *describe([took for _, took in opened])),
            *(*describe(alone), f"{max(alone):.0f}"),
        )
        console.print(*row)
        table.add_row(*row)
    return table


def open_dashboard(lakehouse: Lakehouse, trino: TrinoClient, slug: str) -> list[tuple[str, float]]:
    """Open it several times in Chromium; its charts' queries, and milliseconds of each."""
    environment = {**os.environ, **user_environment(lakehouse.settings, lakehouse.secrets)}
    begin = datetime.now(UTC)
    with TemporaryDirectory() as folder:
        for _ in range(OPENINGS):
            picture = str(Path(folder) / f"{slug}.png")
            subprocess.run(
                [sys.executable, "superset/screenshot.py", picture, slug],
                cwd=REPOSITORY,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
    rows = trino.query(
        "select query, date_diff('millisecond', created, \"end\") from system.runtime.queries"
        f" where user = 'dashboard' and created >= timestamp '{begin:%Y-%m-%d %H:%M:%S} UTC'"
        " and state = 'FINISHED' and query like 'SELECT%marts%'"
    )
    return [(query, float(took)) for query, took in rows]


def measure_query(trino: TrinoClient, query: str) -> float:
    """Milliseconds of a query that has Trino to itself."""
    begin = time.perf_counter()
    trino.query(query)
    return (time.perf_counter() - begin) * 1000


def describe(took: Sequence[float]) -> tuple[str, str]:
    """Median and 95th percentile."""
    return f"{median(took):.0f}", f"{quantiles(took, n=20)[-1]:.0f}"


if __name__ == "__main__":
    main()
