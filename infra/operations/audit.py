"""`make audit`: compare messages with raw rows, and checkouts with attributed checkouts.

It works while everything runs. It covers messages up to the offsets of the job's last checkpoint:
the job guarantees that everything before them is in the tables. The table commit follows its
checkpoint by a few seconds, so the audit checks differences again and reports only lasting ones.

It asks three questions, each with one query (trino/audit/):

1. Is every message of both event topics in exactly one raw table, exactly once? An offset without
   a row is looked up in Kafka, because not every offset is a message (gaps.py).
2. Does every on-time attempt to pay for a line have exactly one row in
   attribution.attributed_checkouts? Such a row is an "answer" below.
3. Does every line, including late ones, have exactly one row in marts.attributed_checkouts, that of
   its latest attempt, if the mart's last build could see it, or if more than LATE_BUILDS intervals
   between builds have passed?
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from configuration import REPOSITORY
from configuration.settings import Settings
from configuration.sql import is_none_of
from configuration.templates import render
from configuration.trino_client import TrinoClient, connect_trino
from configuration.waiting import poll
from flink_jobs.lake_tables import ANSWERS_EACH_ATTEMPT_SINCE
from infra.install.progress import Reporter, console
from infra.operations.gaps import Content, Word, compare, find_gaps
from infra.operations.offsets import PartitionProgress, read_offsets, read_progress
from infra.services.model import Lakehouse

QUERIES = REPOSITORY / "trino/audit"
RECHECK_SECONDS = 3
# A checkout is missing in the mart if so many intervals between builds have passed.
LATE_BUILDS = 2
LONGEST_SEQUENCE = 10_000  # of Trino's sequence()
ROWS_AT_ONCE = 1_000  # in one statement


@dataclass(frozen=True)
class Partition:
    """One partition's messages up to the job's last checkpoint, compared with the raw tables.

    `empty` counts offsets without a message: ends of transactions, and what an aborted one sent.
    """

    topic: str
    partition: int
    expected: int
    rows: int
    missing: int
    doubled: int
    empty: int


@dataclass(frozen=True)
class EmptyOffsets:
    """Offsets without a message, both ends included; as in marts.audit_empty_offsets."""

    topic: str
    partition: int
    first: int
    last: int


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
    """One hour of event time: its checkouts, compared with the mart attributed_checkouts.

    `behind_since` is when the first checkout arrived that the mart does not have yet; None if it
    has all of them.
    """

    hour: datetime
    due: int
    rows: int
    missing: int
    surplus: int
    behind_since: datetime | None


@dataclass(frozen=True)
class Audit:
    """The result of an audit; `seconds` is how long it took.

    `empty` lists the offsets without a message that no earlier audit has recorded.
    """

    partitions: list[Partition]
    empty: list[EmptyOffsets]
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
    def behind_since(self) -> datetime | None:
        """When the first checkout arrived that the mart does not have yet; None if it has all."""
        return min(filter(None, (each.behind_since for each in self.mart)), default=None)

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
    marts = lakehouse.settings.pipeline.marts
    settle_seconds = marts.audit_settle_seconds
    due_seconds = LATE_BUILDS * marts.build_interval_minutes * 60 + settle_seconds
    started = clock()

    def compare() -> Audit:
        partitions, empty = _compare_messages(lakehouse, trino, committed)
        hours = _compare_checkouts(lakehouse, trino)
        mart = _compare_mart(lakehouse, trino, settle_seconds, due_seconds)
        return Audit(partitions, empty, hours, mart, clock() - started)

    return poll(compare, lambda found: found.holds, settle_seconds, RECHECK_SECONDS)


def record_audit(lakehouse: Lakehouse) -> None:
    """Run an audit and store its findings.

    Writes one row for each rule to marts.audit_runs, for the dashboard. Writes the offsets without
    a message to marts.audit_empty_offsets, because Kafka forgets after its retention why they have
    none.

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
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    trino.query(f"insert into marts.audit_runs values {rows}")
    empty = [
        f"('{each.topic}', {each.partition}, {each.first}, {each.last})"
        for each in _cut(found.empty)
    ]
    for i in range(0, len(empty), ROWS_AT_ONCE):
        some = ", ".join(empty[i : i + ROWS_AT_ONCE])
        trino.query(f"insert into marts.audit_empty_offsets values {some}")


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
) -> tuple[list[Partition], list[EmptyOffsets]]:
    goals = ", ".join(f"('{each.topic}', {each.partition}, {each.committed})" for each in committed)
    statement = render(
        QUERIES / "1_messages.sql",
        {"goals": goals, **_topics(lakehouse)},
    )
    found = {(row[0], row[1]): row[2:] for row in trino.query(statement)}
    compared = [
        _compare_range(lakehouse.settings, each, found[each.topic, each.partition])
        for each in committed
    ]
    return [each for each, _ in compared], [some for _, empty in compared for some in empty]


def _compare_range(
    settings: Settings, asked: PartitionProgress, held: Sequence[Any]
) -> tuple[Partition, list[EmptyOffsets]]:
    """Compare one partition, from the oldest offset that Kafka or the lake still has.

    The lake keeps messages longer than Kafka, so its first row may be older.
    """
    topic, partition = asked.topic, asked.partition
    rows, messages, first, first_word, words = held
    begin = asked.begin if first is None else min(asked.begin, first)
    gaps = find_gaps(begin, asked.committed, first_word, [Word(*word) for word in words or ()])
    lost = _look_up(settings, asked, gaps)
    expected = messages + lost.messages
    empty = max(asked.committed - begin, 0) - expected
    return (
        Partition(topic, partition, expected, rows, lost.messages, rows - messages, empty),
        [EmptyOffsets(topic, partition, some[0], some[-1]) for some in lost.empty],
    )


def _look_up(settings: Settings, asked: PartitionProgress, gaps: list[range]) -> Content:
    """Say what the gaps of a partition have; offsets that Kafka no longer has count as messages."""
    forgotten = sum(len(range(gap.start, min(gap.stop, asked.begin))) for gap in gaps)
    kept = [range(max(gap.start, asked.begin), gap.stop) for gap in gaps if gap.stop > asked.begin]
    if not kept:
        return Content(forgotten)
    found = compare(kept, read_offsets(settings, asked.topic, asked.partition, kept))
    return Content(forgotten + found.messages, found.empty)


def _cut(found: Iterable[EmptyOffsets]) -> Iterator[EmptyOffsets]:
    """Cut into pieces that Trino's sequence() can list."""
    for each in found:
        for first in range(each.first, each.last + 1, LONGEST_SEQUENCE):
            last = min(first + LONGEST_SEQUENCE - 1, each.last)
            yield dataclasses.replace(each, first=first, last=last)


def _compare_checkouts(lakehouse: Lakehouse, trino: TrinoClient) -> list[Hour]:
    statement = render(
        QUERIES / "2_hours.sql",
        {"since_property": ANSWERS_EACH_ATTEMPT_SINCE, **_topics(lakehouse)},
    )
    return [Hour(*row) for row in trino.query(statement)]


def _topics(lakehouse: Lakehouse) -> dict[str, str]:
    """Return the event topics; the audit does not cover the shop's changes."""
    topics = lakehouse.settings.pipeline.topics
    return {"clickstream_topic": topics.clickstream, "checkouts_topic": topics.checkouts}


def _compare_mart(
    lakehouse: Lakehouse, trino: TrinoClient, settle_seconds: int, due_seconds: int
) -> list[MartHour]:
    attribution = lakehouse.settings.pipeline.attribution
    rules = {
        "settle_seconds": settle_seconds,
        "due_seconds": due_seconds,
        "lookback_seconds": attribution.lookback_seconds,
        "has_a_known_id": is_none_of("checkout_id", attribution.unknown_ids),
    }
    statement = render(QUERIES / "3_mart.sql", rules)
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
        verdict = {
            "holds": found.holds,
            "behind_since": found.behind_since,
            **dataclasses.asdict(found),
        }
        sys.stdout.write(json.dumps(verdict, indent=2, default=str) + "\n")
    else:
        console.print(_partitions_table(found.partitions))
        console.print(_hours_table(found.hours))
        console.print(_mart_table(found.mart))
        settle_seconds = lakehouse.settings.pipeline.marts.audit_settle_seconds
        console.print(_verdict(found, settle_seconds), markup=False)
    return found.holds


def _partitions_table(partitions: list[Partition]) -> Table:
    columns = ("topic", "partition", "messages", "rows", "missing", "doubled", "no message")
    rows = [dataclasses.astuple(each) for each in partitions]
    return _table(columns, [*rows, ("total", "", *_sums(rows, 2))])


def _hours_table(hours: list[Hour]) -> Table:
    columns = ("hour", "events", "late", "quarantined", "due", "answers", "missing", "surplus")
    return _by_hour(columns, hours)


def _mart_table(hours: list[MartHour]) -> Table:
    return _by_hour(("hour", "due", "mart rows", "missing", "surplus"), hours)


def _by_hour(columns: tuple[str, ...], hours: Sequence[Hour | MartHour]) -> Table:
    numbers = (dataclasses.astuple(each)[1 : len(columns)] for each in hours)
    rows = [(f"{each.hour:%Y-%m-%d %H:%M}", *row) for each, row in zip(hours, numbers, strict=True)]
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
    behind = (
        f" The mart is behind since {found.behind_since:%Y-%m-%d %H:%M} UTC: a checkout that"
        " arrived then waits for the next build."
        if found.behind_since
        else ""
    )
    if found.holds:
        return f"\nEverything adds up ({found.seconds:.1f} s).{behind}"
    return (
        f"\nIt does not add up: {found.missing:,} missing, {found.doubled:,} too many, for more"
        f" than {settle_seconds} s. See docs/runbook.md for what to do.{behind}"
    )
