"""Reads marts, and selects the rows of a snapshot that must be in them."""

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any, Protocol

from configuration.trino_client import TrinoClient
from reference import oracle
from reference.oracle import Valid
from tests.support.clients import Trino
from tests.support.lake import Lake, Snapshot


def distinct_checkouts(snapshot: Snapshot, lake: Lake) -> list[Valid]:
    """One message of each line of a checkout: of its latest attempt within the lookback.

    Of copies, one that was on time counts, then the first in Kafka. Excludes on-time attempts that
    the watermark has not passed: these are not answered yet, and in no mart.
    """
    answered = {
        (row.user_id, row.checkout_id, row.product_id, row.checked_out_at_ms)
        for row in snapshot.attributed
    }
    lines: dict[tuple[int, str, int], list[Valid]] = defaultdict(list)
    rows = [row for at, row in snapshot.valid.items() if at.topic == lake.topics.checkouts]
    for row in sorted(rows, key=lambda row: (row.position in snapshot.late, row.position)):
        lines[oracle.line_of(row)].append(row)
    return [
        attempt
        for line, messages in lines.items()
        for attempt in oracle.counted_attempts(messages, lake.pipeline.attribution)
        if attempt.position in snapshot.late or (*line, attempt.occurred_at_ms) in answered
    ]


def read_mart(
    lake: Lake, snapshot: Snapshot, mart: str, key: list[str], columns: list[str]
) -> dict[tuple[Any, ...], list[Decimal]]:
    """A mart's numbers for the snapshot's hours, by key; the hour is in hours since 1970."""
    hour, *others = key
    rows = lake.trino.query(
        f"select to_unixtime({hour}) / 3600, {', '.join(others + columns)} from marts.{mart}"
        f" where {snapshot.is_at(hour)}"
    )
    return {
        (int(row[0]), *row[1 : len(key)]): [Decimal(value) for value in row[len(key) :]]
        for row in rows
    }


def explain_inputs(trino: Trino | TrinoClient, query: str) -> list[Any]:
    """The tables that Trino would read, with their constraints."""
    [[explained]] = trino.query(f"explain (type io, format json) {query}")
    inputs: list[Any] = json.loads(explained)["inputTableColumnInfos"]
    return inputs


class RunDbt(Protocol):
    """Runs dbt on the lakehouse."""

    def __call__(self, command: str, *models: str) -> None:
        """Run `dbt COMMAND --select MODELS`; fails the test if dbt fails."""
