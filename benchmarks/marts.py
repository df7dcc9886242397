"""How long builds of the marts and their dashboards take as history grows.

    make bench-marts [EVENTS_A_DAY=1000000] [DAYS="1 10 30"]

Uses its own lakehouse (`.lakehouse-bench-marts`, recreated each time). The simulated shop sends a
day, the job reads it, and the marts are built. Longer histories are copies of that day, made in
Trino, with their own times and ids. They are copied in the marts too, which the schedule would have
built hour by hour. For each length of history:

- Single hours follow, with a build after each, as the schedule does; then a build without new rows,
  and one with a checkout dated a year ago.
- Every dashboard is opened in Chromium several times, and Trino says how long each of its queries
  took. Then each query runs alone.
- All marts are built from scratch.
"""

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from statistics import mean, median, quantiles
from tempfile import TemporaryDirectory

import click
import requests
from rich.table import Table

from benchmarks.stream.dataset import open_kafka
from benchmarks.stream.lakehouse import has_read_all, own_lakehouse
from configuration import REPOSITORY
from configuration.environment import user_environment
from configuration.trino_client import TrinoClient, connect_trino
from configuration.waiting import wait_until
from infra.install.progress import console
from infra.operations.audit import record_audit
from infra.services.homes import remove_state
from infra.services.marts import REFRESH, list_marts, run_dbt
from infra.services.model import Lakehouse
from producer.shop import diurnal_factor
from reference.events import encode, make_checkout
from reference.kafka import Outgoing

STATE = REPOSITORY / ".lakehouse-bench-marts"
WANTED = ("taskmanager", "attribution", "change-capture", "trino", "superset", "dashboards")
STREAM_TABLES = ("raw.clickstream", "raw.checkouts", "attribution.attributed_checkouts")
# The column that says when a row was written; its name depends on the table.
SEEN = ("ingested_at", "attributed_at", "latest_ingested_at")
IDS = ("event_id", "checkout_id", "session_id", "click_id")
DASHBOARDS = ("last-hour", "attribution", "pipeline")
# Some messages are late, because a chart shows late messages.
CHANGES = {"late_share": "0.005"}
ROUNDS = 3
OPENINGS = 3
ALONE_TIMES = 4
# The timestamp that makes the text of a chart's query differ each time.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+")
DAY_SECONDS, HOUR_SECONDS = 86_400, 3600
READ_SECONDS = 900
COMMIT_SECONDS = 15
# Copy in parts: a busy hour's journeys in one query need more memory than Trino's heap allows.
COPY_PARTS = 4
OVERLAP_SECONDS = 60
YEAR_MS = 365 * DAY_SECONDS * 1000
# Trino keeps a finished query for two minutes.
POLL_SECONDS = 20
UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


@click.command()
@click.option("--events-a-day", default=1_000_000, show_default=True)
@click.option("--days", default="1 10 30", show_default=True, help="Lengths of history, in order.")
def main(events_a_day: int, days: str) -> None:
    """Measure builds and charts with each length of history."""
    remove_state(STATE)
    builds = Table(
        *("history", "build of an hour, s", "without new rows, s", "with a row of a year ago, s"),
        *("from scratch, s for each day", "largest query, MB"),
        box=None,
    )
    charts = chart_table()
    held = 1
    with own_lakehouse(STATE, WANTED, CHANGES) as (lakehouse, environment):
        trino = connect_trino(lakehouse.settings, lakehouse.secrets)
        shop = Sender(environment, events_a_day / DAY_SECONDS)
        shop.send(24 - 2 * ROUNDS, lakehouse)
        console.print(f"a day's marts from scratch: {measure(rebuild, lakehouse):.0f} s")
        # Housekeeping does this too, and a dashboard shows the result. The audit must come before
        # the copies, because these have no messages in Kafka.
        console.print(f"audited that day: {measure(record_audit, lakehouse):.0f} s")
        for length in map(int, days.split()):
            tables = (*STREAM_TABLES, *marts_of_events(trino))
            copy_back(trino, range(held, length), "day", tables)
            held = length
            hours = []
            for _ in range(ROUNDS):
                time.sleep(OVERLAP_SECONDS)
                shop.send(1, lakehouse)
                hours.append(measure(refresh, lakehouse))
            time.sleep(OVERLAP_SECONDS)
            idle = measure(refresh, lakehouse)
            send_old_checkout(lakehouse, length)
            old = measure(refresh, lakehouse)
            [[events]] = trino.query("select count(*) from raw.clickstream")
            history = f"{length} days: {events:,} events"
            measure_charts(lakehouse, DASHBOARDS, charts, history)
            with ThreadPoolExecutor(1) as pool:
                scratch = pool.submit(measure, rebuild, lakehouse)
                largest = watch_memory(lakehouse, scratch.done)
            row = (
                *(history, f"{median(hours):.1f}", f"{idle:.1f}", f"{old:.1f}"),
                *(f"{scratch.result() / length:.0f}", f"{largest / 1e6:.0f}"),
            )
            console.print(*row)
            builds.add_row(*row)
    console.print(builds)
    console.print(charts)


class Sender:
    """Sends the simulated shop's events hour by hour, up to now; the job finds them on time."""

    def __init__(self, environment: dict[str, str], rate: float, hours: int = 24) -> None:
        self._environment, self._rate = environment, rate
        self._at = datetime.now(UTC) - timedelta(hours=hours)

    def send(self, hours: int, lakehouse: Lakehouse) -> float:
        """Send some hours and wait until the job has read them; return messages a second.

        The rate holds for these hours, whatever the shop's time of day. With a rate averaged over
        the day, an hour's number of messages would take until the morning if sent at night.
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
        time.sleep(COMMIT_SECONDS)  # the next checkpoint commits the attributed rows
        return rate


def marts_of_events(trino: TrinoClient) -> list[str]:
    """All marts except the dimensions, which come from the shop's changes."""
    return [mart for mart in list_marts(trino) if not mart.startswith("marts.dim_")]


def send_old_checkout(lakehouse: Lakehouse, number: int) -> None:
    """Send a checkout dated a year ago, and wait until the job has read it."""
    at = int(time.time() * 1000) - YEAR_MS
    checkout = make_checkout(f"a year before {number}", 1, at)
    topic = lakehouse.settings.pipeline.topics.checkouts
    open_kafka(lakehouse.settings).send([Outgoing(topic, 0, b"1", encode(checkout))])
    wait_until(lambda: has_read_all(lakehouse.settings), READ_SECONDS, "the job to read it")
    time.sleep(COMMIT_SECONDS)


def watch_memory(lakehouse: Lakehouse, is_over: Callable[[], bool]) -> float:
    """The most bytes that Trino counted for one query of `etl` until `is_over`."""
    address = lakehouse.settings.topology.trino
    login = ("etl", lakehouse.secrets.trino_etl_password)
    session = requests.Session()
    session.trust_env = False  # else REQUESTS_CA_BUNDLE would override `verify`
    session.verify = str(lakehouse.settings.trino_ca_file)
    largest = 0.0
    while not is_over():
        time.sleep(POLL_SECONDS)
        url = f"https://{address.host}:{address.port}/v1/query"
        queries = session.get(url, auth=login, timeout=POLL_SECONDS).json()
        sizes = (each["queryStats"]["peakUserMemoryReservation"] for each in queries)
        largest = max((largest, *map(read_bytes, sizes)))
    return largest


def read_bytes(size: str) -> float:
    """Read a size as Trino writes it, such as 1.5MB."""
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", size).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def copy_back(trino: TrinoClient, backs: range, unit: str, tables: Sequence[str]) -> None:
    """Fill tables with history: copies of their newest `unit` (hour or day), so many units back."""
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
            continue  # not built from the stream's rows
        latest = f"{seen} > timestamp '{newest}' - interval '1' {unit}"
        for back, part in product(backs, range(COPY_PARTS)):
            moved = ", ".join(move(*column, back, unit) for column in columns[table].items())
            trino.query(
                f"insert into {table} select {moved} from {table}"
                f" where {latest} and second({seen}) % {COPY_PARTS} = {part}"
            )
        console.print(f"  {table}: copied the newest {unit}")


def move(column: str, kind: str, back: int, unit: str) -> str:
    """SQL for a column of the copy that is `back` hours or days earlier."""
    if column in IDS:
        return f"{column} || '-{back}'"
    if kind.startswith("timestamp"):
        return f"{column} - interval '{back}' {unit}"
    return column


def rebuild(lakehouse: Lakehouse) -> None:
    """Build the hourly marts from scratch."""
    build(lakehouse, "--full-refresh")


def refresh(lakehouse: Lakehouse) -> None:
    """Build as the schedule does, but treat only rows of the last minute as new.

    The schedule treats rows of the last 15 minutes as new. Here a whole day arrived in that time.
    """
    build(lakehouse, "--vars", f"{{restatement_overlap_seconds: {OVERLAP_SECONDS}}}")


def build(lakehouse: Lakehouse, *arguments: str) -> None:
    """Build the models that the schedule builds."""
    if code := run_dbt(lakehouse, "--quiet", *REFRESH, *arguments):
        raise SystemExit(code)


def measure(work: Callable[[Lakehouse], None], lakehouse: Lakehouse) -> float:
    """Seconds that some work takes."""
    begin = time.perf_counter()
    work(lakehouse)
    return time.perf_counter() - begin


def chart_table() -> Table:
    """An empty table of queries' times.

    "Opened" is Trino's time for a query from arrival to end, including time in its queue.
    """
    return Table(
        *("history", "dashboard", "queries", "opened: p50, ms", "p95, ms"),
        *("alone: p50, ms", "p95, ms", "slowest, ms"),
        box=None,
    )


def measure_charts(
    lakehouse: Lakehouse, dashboards: Sequence[str], table: Table, history: str
) -> None:
    """Open each dashboard, which runs all its queries at once; then run each query alone."""
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    for slug in dashboards:
        opened = open_dashboard(lakehouse, trino, slug)
        queries = {MOMENT.sub("", query): query for query, _ in opened}
        alone = [
            measure_query(trino, query) for query in queries.values() for _ in range(ALONE_TIMES)
        ]
        row = (
            *(history, slug, str(len(queries)), *describe([took for _, took in opened])),
            *(*describe(alone), f"{max(alone):.0f}"),
        )
        console.print(*row)
        table.add_row(*row)


def open_dashboard(lakehouse: Lakehouse, trino: TrinoClient, slug: str) -> list[tuple[str, float]]:
    """Open a dashboard several times in Chromium; return its queries and their milliseconds."""
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
    """Milliseconds of a query while nothing else runs on Trino."""
    begin = time.perf_counter()
    trino.query(query)
    return (time.perf_counter() - begin) * 1000


def describe(took: Sequence[float]) -> tuple[str, str]:
    """Median and 95th percentile."""
    return f"{median(took):.0f}", f"{quantiles(took, n=20)[-1]:.0f}"


if __name__ == "__main__":
    main()
