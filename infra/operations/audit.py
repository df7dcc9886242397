"""`make audit`: compare messages with raw rows, and checkouts with attributed checkouts.

It works while everything runs. It covers messages up to the offsets of the job's last checkpoint:
the job guarantees that everything before them is in the tables. The table commit follows its
checkpoint by a few seconds, so the audit checks differences again and reports only lasting ones.

It asks three questions, each with one query (trino/audit/):

1. Is every message of both event topics in exactly one raw table, exactly once?
2. Does every distinct on-time checkout have exactly one row in attribution.attributed_checkouts?
   Such a row is an "answer" below.
3. Does every distinct checkout, including late ones, have exactly one row in
   marts.attributed_checkouts, if the mart's last build could see it?
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from configuration import REPOSITORY
from configuration.templates import render
from configuration.trino_client import TrinoClient, connect_trino
from configuration.waiting import poll
from infra.install.progress import Reporter, console
from infra.operations.offsets import PartitionProgress, read_progress
from infra.services.model import Lakehouse

QUERIES = REPOSITORY / "trino/audit"
RECHECK_SECONDS = 3


@dataclass(frozen=True)
class Partition:
    """One partition's committed messages, compared with the raw tables."""

    topic: str
    partition: int
    expected: int
    rows: int
    missing: int
    doubled: int


@dataclass(frozen=True)
class Hour:
    """One hour of event time: its events, and its on-time checkouts compared with answers.

    `due` counts the checkouts that must have an answer, `surplus` the answers too many.
    """

    hour: datetime
    events: int
    late: int
    quarantined: int
    due: int
    answers: int
    missing: int
    surplus: int


@dataclass(frozen=True)
class MartHour:
    """One hour of event time: its checkouts, compared with the mart attributed_checkouts."""

    hour: datetime
    due: int
    rows: int
    missing: int
    surplus: int


@dataclass(frozen=True)
class Audit:
    """The result of an audit; `seconds` is how long it took."""

    partitions: list[Partition]
    hours: list[Hour]
    mart: list[MartHour]
    seconds: float

    @property
    def missing(self) -> int:
        """Number of missing raw rows, answers and mart rows."""
        return (
            sum(each.missing for each in self.partitions)
            + sum(each.missing for each in self.hours)
            + sum(each.missing for each in self.mart)
        )

    @property
    def doubled(self) -> int:
        """Number of rows too many."""
        return (
            sum(each.doubled for each in self.partitions)
            + sum(each.surplus for each in self.hours)
            + sum(each.surplus for each in self.mart)
        )

    @property
    def holds(self) -> bool:
        """Whether nothing is missing and nothing is doubled."""
        return not (self.missing or self.doubled)


def audit(lakehouse: Lakehouse, clock: Callable[[], float] = time.monotonic) -> Audit:
    """Compare until everything matches, or until differences last `audit_settle_seconds`.

    Raises:
        OffsetsError: Kafka does not answer.
        ServiceError: Trino does not answer.
    """
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    committed = read_progress(lakehouse.settings)
    settle_seconds = lakehouse.settings.pipeline.marts.audit_settle_seconds
    started = clock()

    def compare() -> Audit:
        partitions = _compare_messages(lakehouse, trino, committed)
        hours = _compare_checkouts(lakehouse, trino)
        mart = _compare_mart(trino, settle_seconds)
        return Audit(partitions, hours, mart, clock() - started)

    return poll(compare, lambda found: found.holds, settle_seconds, RECHECK_SECONDS)


def record_audit(lakehouse: Lakehouse) -> None:
    """Run an audit and write one row for each rule to marts.audit_runs, for the dashboard.

    Raises:
        OffsetsError: Kafka does not answer.
        ServiceError: Trino does not answer.
    """
    started_at = datetime.now(UTC)
    found = audit(lakehouse)
    up_to = max((each.hour for each in found.hours), default=None)
    rows = ", ".join(
        f"(timestamp '{started_at:%Y-%m-%d %H:%M:%S.%f} UTC', {_literal(up_to)}, '{rule}',"
        f" {expected}, {expected - missing + surplus}, {missing == surplus == 0})"
        for rule, expected, missing, surplus in _sum_rules(found)
    )
    connect_trino(lakehouse.settings, lakehouse.secrets).query(
        f"insert into marts.audit_runs values {rows}"
    )


def _sum_rules(found: Audit) -> list[tuple[str, int, int, int]]:
    """Return for each rule: its name, and the counts of expected, missing and surplus rows."""
    messages, hours, mart = found.partitions, found.hours, found.mart
    return [
        (
            "each message is a row",
            sum(each.expected for each in messages),
            sum(each.missing for each in messages),
            sum(each.doubled for each in messages),
        ),
        (
            "each on-time checkout has an answer",
            sum(each.due for each in hours),
            sum(each.missing for each in hours),
            sum(each.surplus for each in hours),
        ),
        (
            "each checkout is in the mart",
            sum(each.due for each in mart),
            sum(each.missing for each in mart),
            sum(each.surplus for each in mart),
        ),
    ]


def _literal(moment: datetime | None) -> str:
    return "null" if moment is None else f"timestamp '{moment:%Y-%m-%d %H:%M:%S} UTC'"


def _compare_messages(
    lakehouse: Lakehouse, trino: TrinoClient, committed: list[PartitionProgress]
) -> list[Partition]:
    goals = ", ".join(f"('{each.topic}', {each.partition}, {each.committed})" for each in committed)
    statement = render(
        QUERIES / "1_messages.sql",
        {"goals": goals, **_topics(lakehouse)},
    )
    found = {(row[0], row[1]): row[2:] for row in trino.query(statement)}
    return [_compare_range(each, *found[each.topic, each.partition]) for each in committed]


def _compare_range(
    asked: PartitionProgress, rows: int, messages: int, first: int | None
) -> Partition:
    """Compare one partition, from the oldest offset that Kafka or the lake still has.

    The lake keeps messages longer than Kafka, so its first row may be older.
    """
    begin = asked.begin if first is None else min(asked.begin, first)
    expected = max(asked.committed - begin, 0)
    return Partition(
        asked.topic, asked.partition, expected, rows, expected - messages, rows - messages
    )


def _compare_checkouts(lakehouse: Lakehouse, trino: TrinoClient) -> list[Hour]:
    lookback = lakehouse.settings.pipeline.attribution.lookback_seconds
    statement = render(
        QUERIES / "2_hours.sql", {"lookback_seconds": lookback, **_topics(lakehouse)}
    )
    return [Hour(*row) for row in trino.query(statement)]


def _topics(lakehouse: Lakehouse) -> dict[str, str]:
    """Return the event topics; the audit does not cover the shop's changes."""
    topics = lakehouse.settings.pipeline.topics
    return {"clickstream_topic": topics.clickstream, "checkouts_topic": topics.checkouts}


def _compare_mart(trino: TrinoClient, settle_seconds: int) -> list[MartHour]:
    statement = render(QUERIES / "3_mart.sql", {"settle_seconds": settle_seconds})
    return [MartHour(*row) for row in trino.query(statement)]


def print_audit(lakehouse: Lakehouse, *, as_json: bool) -> bool:
    """Run an audit, show it, and return whether everything matches."""
    with Reporter() as reporter:
        if as_json:
            found = audit(lakehouse)
        else:
            with reporter.step("comparing Kafka, raw tables, answers and the mart"):
                found = audit(lakehouse)
    if as_json:
        verdict = {"holds": found.holds, **dataclasses.asdict(found)}
        sys.stdout.write(json.dumps(verdict, indent=2, default=str) + "\n")
    else:
        console.print(_partitions_table(found.partitions))
        console.print(_hours_table(found.hours))
        console.print(_mart_table(found.mart))
        settle_seconds = lakehouse.settings.pipeline.marts.audit_settle_seconds
        console.print(_verdict(found, settle_seconds), markup=False)
    return found.holds


def _partitions_table(partitions: list[Partition]) -> Table:
    columns = ("topic", "partition", "messages", "rows", "missing", "doubled")
    rows = [dataclasses.astuple(each) for each in partitions]
    return _table(columns, [*rows, ("total", "", *_sums(rows, 2))])


def _hours_table(hours: list[Hour]) -> Table:
    columns = ("hour", "events", "late", "quarantined", "due", "answers", "missing", "surplus")
    return _by_hour(columns, hours)


def _mart_table(hours: list[MartHour]) -> Table:
    return _by_hour(("hour", "due", "mart rows", "missing", "surplus"), hours)


def _by_hour(columns: tuple[str, ...], hours: Sequence[Hour | MartHour]) -> Table:
    rows = [(f"{each.hour:%Y-%m-%d %H:%M}", *dataclasses.astuple(each)[1:]) for each in hours]
    return _table(columns, [*rows, ("total", *_sums(rows, 1))])


def _sums(rows: list[tuple[Any, ...]], first_number: int) -> list[int]:
    columns = list(zip(*rows, strict=True))[first_number:]
    return [sum(column) for column in columns]


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in ("topic", "hour") else "right")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row))
    return table


def _verdict(found: Audit, settle_seconds: int) -> str:
    if found.holds:
        return f"\nEverything adds up ({found.seconds:.1f} s)."
    return (
        f"\nIt does not add up: {found.missing:,} missing, {found.doubled:,} too many, for more"
        f" than {settle_seconds} s. See docs/runbook.md for what to do."
    )
