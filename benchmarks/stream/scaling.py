"""How the whole job's throughput changes with slots, users, history in the lake, and a bot.

    make bench-scaling [MESSAGES=300000] [REPETITIONS=3]

Runs are bounded, as in `make bench`. Each row of the table is a median and its ratio to the first
row. Each number of users has its own lakehouse (`.lakehouse-bench-users-*`). History means: the
same run is repeated into tables that keep the rows of earlier runs.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
from rich.table import Table

from benchmarks.stream import dataset
from benchmarks.stream.contenders import CONTENDERS, Bench, Measured
from benchmarks.stream.dataset import open_kafka
from benchmarks.stream.lakehouse import own_lakehouse
from benchmarks.stream.tables import renew_tables
from configuration import REPOSITORY
from flink_jobs.lake_tables import open_catalog
from infra.install.progress import console
from infra.services.homes import remove_state
from reference.events import Event, encode, make_click
from reference.kafka import Outgoing
from reference.oracle import Message

WANTED = ("jobmanager", "taskmanager", "topics", "tables")
USERS = (10_000, 100_000, 1_000_000)
BOT = 999_999_999
BOT_CLICKS = 1_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HISTORY = 10
[WHOLE_JOB] = [each for each in CONTENDERS if each.name == "whole job"]


@click.command()
@click.option("--messages", default=300_000, show_default=True)
@click.option("--repetitions", default=3, show_default=True)
def main(messages: int, repetitions: int) -> None:
    """Measure one variant after another and print a table."""
    table = Table(
        "variant", "events a second", "events a CPU-second", "ratios", "peak MB", box=None
    )
    base: tuple[float, float] | None = None
    for name, count, runs in measure_all(messages, repetitions):
        a_second = median(count / run.seconds for run in runs)
        a_cpu_second = median(count / run.cpu_seconds for run in runs)
        base = base or (a_second, a_cpu_second)
        row = (
            name,
            f"{a_second:,.0f}",
            f"{a_cpu_second:,.0f}",
            f"{a_second / base[0]:.2f}, {a_cpu_second / base[1]:.2f}",
            f"{median(run.peak_mb for run in runs):,.0f}",
        )
        console.print(*row)
        table.add_row(*row)
    console.print(table)


def measure_all(messages: int, repetitions: int) -> Iterator[tuple[str, int, list[Measured]]]:
    """Yield name, number of messages, and runs of each variant."""
    for users in USERS:
        name, users_setting = f"{users:,} users", {"users": str(users)}
        remove_state(state_of(users))
        with bench_of(users, users_setting, messages) as bench:
            yield name, messages, run_in_turn(bench, repetitions)
            if users == USERS[0]:
                runs = run_in_turn(bench, HISTORY, keeps_history=True)
                yield f"{name}, {HISTORY} times the history", messages, runs[-repetitions:]
                topics = bench.lakehouse.settings.pipeline.topics
                sent = open_kafka(bench.lakehouse.settings).read_all(
                    [topics.clickstream, topics.checkouts]
                )
        if users == USERS[0]:
            with bench_of(users, {**users_setting, "parallelism": "2"}, messages) as bench:
                yield f"{name}, 2 slots", messages, run_in_turn(bench, repetitions)
            remove_state(state_of(BOT))
            with bench_of(BOT, users_setting, messages=0) as bench:
                clickstream = bench.lakehouse.settings.pipeline.topics.clickstream
                kafka = open_kafka(bench.lakehouse.settings)
                kafka.send(add_bot(sent, clickstream, BOT_CLICKS))
                runs = run_in_turn(bench, repetitions)
            yield f"{name} and a bot", messages + BOT_CLICKS, runs


def state_of(users: int) -> Path:
    """The state folder of the lakehouse with this many users."""
    return REPOSITORY / f".lakehouse-bench-users-{users}"


@contextmanager
def bench_of(users: int, changes: Mapping[str, str], messages: int) -> Iterator[Bench]:
    """Run a lakehouse with the messages of this many users."""
    with own_lakehouse(state_of(users), WANTED, changes) as (lakehouse, environment):
        if messages:
            dataset.fill(lakehouse.settings, environment, messages)
        yield Bench(lakehouse, environment)


def run_in_turn(bench: Bench, repetitions: int, *, keeps_history: bool = False) -> list[Measured]:
    """Run the job repeatedly, each time into empty tables unless these keep their history."""
    catalog = open_catalog(bench.lakehouse.settings, bench.lakehouse.secrets)
    runs = []
    for number in range(repetitions):
        if number == 0 or not keeps_history:
            renew_tables(catalog, is_upsert=False)
        runs.append(WHOLE_JOB.run(bench))
    return runs


def add_bot(messages: list[Message], clickstream: str, count: int) -> Iterator[Outgoing]:
    """Yield all messages again, and among those of one partition a bot's clicks, on time."""
    clicks = clicks_of_a_bot(count)
    waiting = next(clicks, None)
    for message in sorted(messages, key=lambda message: message.position):
        topic, partition, _ = message.position
        yield Outgoing(topic, partition, message.key, message.value)
        if (topic, partition) == (clickstream, 0):
            newest_ms = read_time(message)
            while waiting and waiting[0] <= newest_ms:
                yield Outgoing(clickstream, 0, str(BOT).encode(), encode(waiting[1]))
                waiting = next(clicks, None)
    while waiting:
        yield Outgoing(clickstream, 0, str(BOT).encode(), encode(waiting[1]))
        waiting = next(clicks, None)


def read_time(message: Message) -> int:
    """Event time of a message; 0 if it breaks the contract."""
    try:
        at_ms = json.loads(message.value or b"")["occurred_at_ms"]
    except (ValueError, KeyError, TypeError):
        return 0
    is_in_data = isinstance(at_ms, int) and abs(at_ms - dataset.start_ms()) < DAY_MS
    return at_ms if is_in_data else 0


def clicks_of_a_bot(count: int) -> Iterator[tuple[int, Event]]:
    """Yield one user's clicks with their times, spread over the first hour of the data."""
    start_ms = dataset.start_ms()
    for number in range(count):
        at_ms = start_ms + number * HOUR_MS // count
        yield at_ms, make_click(f"bot-{number}", BOT, at_ms, product_id=1 + number % 50)


if __name__ == "__main__":
    main()
