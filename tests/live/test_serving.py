"""Marts and live views: marts match the messages, and queries read no more than they need."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from reference import oracle
from reference.oracle import Valid
from tests.support.lake import Lake, Snapshot
from tests.support.marts import distinct_checkouts, explain_inputs, read_mart
from tests.support.shop import Shop

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def lake(shop: Shop) -> Lake:
    """The shop's lake; replaces the fixture that gives this file its own stretch."""
    return shop.lake


@pytest.fixture(scope="module")
def snapshot(shop: Shop) -> Snapshot:
    """What the lake held when the marts were built."""
    return shop.snapshot


def test_revenue_mart_equals_the_sums_of_the_checkouts(snapshot: Snapshot, lake: Lake) -> None:
    hours: dict[int, dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    for row in answered_checkouts(snapshot, lake):
        hour = hours[row.occurred_at_ms // HOUR_MS]
        is_paid = row.fields["payment_status"] == "succeeded"
        hour["checkout_count"] += 1
        hour["paid_checkout_count"] += is_paid
        hour["late_checkout_count"] += row.position in snapshot.late
        hour["unit_count"] += row.fields["quantity"] * is_paid
        hour["revenue_usd"] += oracle.total_usd(row.fields) * is_paid
        hour["profit_usd"] += oracle.profit_usd(row.fields) * is_paid
        hour["lost_revenue_usd"] += oracle.total_usd(row.fields) * (not is_paid)
    columns = list(next(iter(hours.values())))
    in_mart = read_mart(lake, snapshot, "revenue_hourly", ["event_hour"], columns)
    assert in_mart == {
        (hour,): [values[column] for column in columns] for hour, values in hours.items()
    }


def test_payment_failures_mart_equals_the_failed_checkouts(snapshot: Snapshot, lake: Lake) -> None:
    failures: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    for row in answered_checkouts(snapshot, lake):
        if row.fields["payment_status"] == "failed":
            method, reason = row.fields["payment_method"], row.fields["failure_reason"]
            totals = failures[row.occurred_at_ms // HOUR_MS, method, reason or "unknown"]
            totals[0] += 1
            totals[1] += oracle.total_usd(row.fields)
    assert failures == read_mart(
        lake,
        snapshot,
        "payment_failures_hourly",
        ["event_hour", "payment_method", "failure_reason"],
        ["failed_checkout_count", "lost_revenue_usd"],
    )


def test_funnel_mart_counts_sessions_by_their_furthest_step(snapshot: Snapshot, lake: Lake) -> None:
    furthest: dict[tuple[int, str], int] = defaultdict(int)
    for row in snapshot.valid.values():
        if row.occurred_at_ms >= snapshot.until_ms:
            continue
        key = row.occurred_at_ms // HOUR_MS, row.fields["session_id"]
        furthest[key] = max(furthest[key], read_step(row))
    hours: dict[tuple[int], list[int]] = defaultdict(lambda: [0] * 5)
    for (hour, _), step in furthest.items():
        for passed in range(step):
            hours[(hour,)][passed] += 1
    in_mart = read_mart(
        lake,
        snapshot,
        "funnel_hourly",
        ["event_hour"],
        [
            "viewing_session_count",
            "clicking_session_count",
            "carting_session_count",
            "checkout_session_count",
            "paying_session_count",
        ],
    )
    assert in_mart == hours


def answered_checkouts(snapshot: Snapshot, lake: Lake) -> list[Valid]:
    """Checkouts of the hours that are answered completely."""
    rows = distinct_checkouts(snapshot, lake)
    return [row for row in rows if row.occurred_at_ms < snapshot.until_ms]


def read_step(row: Valid) -> int:
    """The funnel step that a message reaches; 0 for a logout."""
    if "checkout_id" in row.fields:
        return 5 if row.fields["payment_status"] == "succeeded" else 4
    steps = {"page_view": 1, "click": 2, "add_to_cart": 3, "logout": 0}
    return steps[row.fields["event_type"]]


@pytest.mark.parametrize(
    ("mart", "hour", "part"),
    [
        ("category_popularity_hourly", "event_hour", "category"),
        ("customer_gender_hourly", "event_hour", "gender"),
    ],
)
def test_parts_by_dimension_add_up_to_the_revenue_mart(
    snapshot: Snapshot, lake: Lake, mart: str, hour: str, part: str
) -> None:
    assert snapshot.attributed
    sums = "sum(checkout_count), sum(unit_count), sum(revenue_usd), sum(profit_usd)"
    parts = lake.trino.query(
        f"select {hour}, {sums} from marts.{mart} where {snapshot.is_at(hour)}"
        " group by 1 having sum(checkout_count) > 0"
    )
    whole = lake.trino.query(
        "select event_hour, checkout_count, unit_count, revenue_usd, profit_usd"
        f" from marts.revenue_hourly where {snapshot.is_at('event_hour')}"
    )
    assert sorted(parts) == sorted(whole)
    [[known]] = lake.trino.query(f"select count(*) from marts.{mart} where {part} <> 'unknown'")
    assert known, "the join found no row of the dimension"


@pytest.mark.parametrize(
    ("view", "column"),
    [
        ("live_checkouts", "checked_out_at"),
        ("live_payment_failures", "checked_out_at"),
        ("live_touchpoint_steps", "checked_out_at"),
        ("live_messages", "ingested_at"),
    ],
)
def test_live_view_reads_only_the_requested_time(
    snapshot: Snapshot, lake: Lake, view: str, column: str
) -> None:
    """Checks the constraint that Trino gives to Iceberg, which skips partitions and files by it."""
    assert snapshot.attributed
    inputs = explain_inputs(
        lake.trino,
        f"select count(*) from marts.{view}"
        f" where {column} >= current_timestamp - interval '1' hour",
    )
    since = {
        each["table"]["schemaTable"]["table"]: bound["domain"]["ranges"][0]["low"]["value"]
        for each in inputs
        for bound in each["constraint"]["columnConstraints"]
        if each["table"]["schemaTable"]["schema"] != "marts" and bound["columnName"] == column
    }
    streams = {"live_messages": {"clickstream", "checkouts", "quarantine"}}
    assert set(since) == streams.get(view, {"attributed_checkouts"})
    first = min(datetime.strptime(at, "%Y-%m-%d %H:%M:%S.%f %Z") for at in since.values())
    age = datetime.now(UTC) - first.replace(tzinfo=UTC)
    assert age < timedelta(hours=2), "the view reads more than the last hour"


@pytest.mark.parametrize(
    ("columns", "dimensions"),
    [
        ("sum(revenue_usd)", set()),
        ("max(category)", {"dim_products"}),
        ("max(country), max(product_name)", {"dim_users", "dim_products"}),
    ],
)
def test_query_reads_a_dimension_only_if_it_uses_its_columns(
    lake: Lake, columns: str, dimensions: set[str]
) -> None:
    inputs = explain_inputs(lake.trino, f"select {columns} from marts.live_checkouts")
    tables = {each["table"]["schemaTable"]["table"] for each in inputs}
    assert tables == {"attributed_checkouts", *dimensions}
