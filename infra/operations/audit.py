"""`make audit`: does everything add up? Messages against rows, checkouts against answers.

Usable while everything runs: it goes by the offsets of the job's last checkpoint, which promise
that everything before them is in the tables. A commit is a few seconds behind its checkpoint, so a
difference is looked at again, and counts only if it stays.

Three questions (trino/audit/), each one pass:

1. Is every message of both topics in exactly one of the raw tables, once?
2. Has every distinct checkout that was on time exactly one row of attribution.attributed_checkouts?
3. Has every distinct checkout, late ones included, exactly one row of marts.attributed_checkouts,
   as far as the mart's last build could have seen it?
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
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from configuration import REPOSITORY
from configuration.templates import render
from configuration.trino_client import TrinoClient, connect_trino
from infra.install.progress import Reporter, console
from infra.operations.offsets import PartitionProgress, read_progress
from infra.services.model import Lakehouse

QUERIES = REPOSITORY / "trino/audit"
LOOK_AGAIN_SECONDS = 3


@dataclass(frozen=True)
class Partition:
    """What the raw tables hold of one partition's committed messages."""

    topic: str
    partition: int
    expected: int
    rows: int
    missing: int
    doubled: int


@dataclass(frozen=True)
class Hour:
    """What happened in an hour of event time, and what became of its checkouts."""

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
    """What the mart attributed_checkouts holds of the checkouts of an hour of event time."""

    hour: datetime
    due: int
    rows: int
    missing: int
    surplus: int


@dataclass(frozen=True)
class Audit:
    """Everything that was compared."""

    partitions: list[Partition]
    hours: list[Hour]
    mart: list[MartHour]
    seconds: float

    @property
    def missing(self) -> int:
        """Messages, answers and rows of the mart that should be there and are not."""
        return (
            sum(each.missing for each in self.partitions)
            + sum(each.missing for each in self.hours)
            + sum(each.missing for each in self.mart)
        )

    @property
    def doubled(self) -> int:
        """Rows that should not be there."""
        return (
            sum(each.doubled for each in self.partitions)
            + sum(each.surplus for each in self.hours)
            + sum(each.surplus for each in self.mart)
        )

    @property
    def holds(self) -> bool:
        """Whether everything adds up."""
        return not (self.missing or self.doubled)


def audit(lakehouse: Lakehouse, clock: Callable[[], float] = time.monotonic) -> Audit:
    """Compare, again and again until everything adds up or the differences have lasted.

    Raises:
        OffsetsError: Kafka does not answer.
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

    settling = Retrying(
        retry=retry_if_result(lambda found: not found.holds),
        stop=stop_after_delay(settle_seconds),
        wait=wait_fixed(LOOK_AGAIN_SECONDS),
    )
    try:
        return settling(compare)
    except RetryError as unsettled:
        last: Audit = unsettled.last_attempt.result()
        return last


def record_audit(lakehouse: Lakehouse) -> None:
    """Make an audit, and keep what it found: a row a rule in marts.audit_runs, for the dashboard.

    Raises:
        OffsetsError: Kafka does not answer.
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
    """Of each rule: its name, what should be there, what is missing, and what is too much."""
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
    """The lake may hold what Kafka has forgotten: then the range begins with its first row."""
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
    """The topics of events; the shop's changes are not audited by hour."""
    topics = lakehouse.settings.pipeline.topics
    return {"clickstream_topic": topics.clickstream, "checkouts_topic": topics.checkouts}


def _compare_mart(trino: TrinoClient, settle_seconds: int) -> list[MartHour]:
    statement = render(QUERIES / "3_mart.sql", {"settle_seconds": settle_seconds})
    return [MartHour(*row) for row in trino.query(statement)]


def print_audit(lakehouse: Lakehouse, *, as_json: bool) -> bool:
    """Make an audit, show it, and return whether everything adds up."""
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
    return _table(columns, [*rows, ("together", "", *_sums(rows, 2))])


def _hours_table(hours: list[Hour]) -> Table:
    columns = ("hour", "events", "late", "quarantined", "due", "answers", "missing", "surplus")
    return _by_hour(columns, hours)


def _mart_table(hours: list[MartHour]) -> Table:
    return _by_hour(("hour", "due", "rows of the mart", "missing", "surplus"), hours)


def _by_hour(columns: tuple[str, ...], hours: Sequence[Hour | MartHour]) -> Table:
    rows = [(f"{each.hour:%Y-%m-%d %H:%M}", *dataclasses.astuple(each)[1:]) for each in hours]
    return _table(columns, [*rows, ("together", *_sums(rows, 1))])


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
        f" than {settle_seconds} s. The runbook tells what to look at (docs/runbook.md)."
    )
