"""Checkouts whose ids repeat: lines of one order, attempts to pay, and ids that users share."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from reference.events import Event, make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.lake import HOUR_MS, Lake, Snapshot
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.traffic import SECOND_MS, outgoing

SEED = 1
MARTS = ("attributed_checkouts", "revenue_hourly", "source_performance_hourly")
# Hours at the beginning of the stretch, for the late messages.
EMPTY_HOURS = 3
PRICES = {1: 10, 2: 20, 3: 30}


@pytest.fixture(scope="module")
def users(lake: Lake) -> list[int]:
    """Two buyers."""
    first = lake.traffic(SEED).eager_user
    return [first - 1, first]


def sales(users: list[int], at_ms: int, name: str, lake: Lake) -> Iterator[Outgoing]:
    """Each user clicks, then buys; both clicks have one id, and both checkouts have another."""
    for number, user_id in enumerate(users):
        own = f"source {number} of {users[0]}"
        click = make_click(f"{name} click of {users[0]}", user_id, at_ms + number, source=own)
        checkout = make_checkout(f"{name} checkout of {users[0]}", user_id, at_ms + SECOND_MS)
        yield outgoing(lake.topics.clickstream, click, number)
        yield outgoing(lake.topics.checkouts, checkout, number)


def pay(name: str, user_id: int, at_ms: int, status: str, product_id: int = 1) -> Event:
    """An attempt to pay for a line, for the price in `PRICES`."""
    return make_checkout(
        f"{name} of {user_id}",
        user_id,
        at_ms,
        product_id=product_id,
        quantity=1,
        unit_price_usd=PRICES[product_id],
        discount_share=0,
        shipping_usd=0,
        payment_status=status,
    )


@pytest.fixture(scope="module")
def retried_ms(lake: Lake) -> int:
    """A whole hour; payments fail shortly before it and succeed shortly after it."""
    return lake.zero_ms + (EMPTY_HOURS + 1) * HOUR_MS


@pytest.fixture(scope="module")
def before(lake: Lake, users: list[int], retried_ms: int, dbt_on_lake: RunDbt) -> list[Any]:
    """The mart's rows after payments failed, and before they were repeated."""
    failed_ms = retried_ms - 30 * SECOND_MS
    late_ms = lake.now_ms + HOUR_MS
    lake.now_ms += EMPTY_HOURS * HOUR_MS
    lake.wake()
    lake.send(sales(users, lake.now_ms, "punctual", lake))
    lake.send(sales(users, late_ms, "late", lake))
    lake.send(
        outgoing(lake.topics.checkouts, pay(name, users[0], failed_ms, "failed"), 0)
        for name in ("repeated", "repeated late")
    )
    lake.finish_hour()
    dbt_on_lake("run", *MARTS)
    return read_attempts(lake, users)


@pytest.fixture(scope="module")
def snapshot(
    lake: Lake, users: list[int], retried_ms: int, before: list[Any], dbt_on_lake: RunDbt
) -> Snapshot:
    """What the lake holds after these payments were repeated; the marts are built."""
    assert before
    paid_ms = retried_ms + 30 * SECOND_MS
    paid = pay("repeated", users[0], paid_ms, "succeeded")
    order = [pay("order", users[0], paid_ms, "succeeded", product) for product in PRICES]
    copies = [paid, *order]
    lake.send(outgoing(lake.topics.checkouts, each, 0) for each in (paid, *order, *copies))
    lake.now_ms += HOUR_MS
    lake.close()
    lake.send(
        [outgoing(lake.topics.checkouts, pay("repeated late", users[0], paid_ms, "succeeded"), 0)]
    )
    lake.finish_hour()
    dbt_on_lake("run", *MARTS)
    return lake.read()


def read_attempts(lake: Lake, users: list[int]) -> list[Any]:
    """The mart's lines of the first user that were paid for more than once: name, paid, late."""
    rows = lake.trino.query(
        "select split_part(checkout_id, ' of ', 1), is_paid, is_late"
        " from marts.attributed_checkouts"
        f" where user_id = {users[0]} and checkout_id like 'repeated%' order by 1, 2"
    )
    return [tuple(row) for row in rows]


def test_stream_answers_every_attempt_at_every_line(snapshot: Snapshot, users: list[int]) -> None:
    snapshot.check()
    answered = [row for row in snapshot.attributed.elements() if row.user_id in users]
    names = sorted(row.checkout_id.split(" of ")[0] for row in answered)
    assert names == [*["order"] * 3, *["punctual checkout"] * 2, *["repeated"] * 2, "repeated late"]


def test_mart_has_the_latest_attempt_at_a_line(
    before: list[Any], snapshot: Snapshot, lake: Lake, users: list[int]
) -> None:
    assert before == [("repeated", False, False), ("repeated late", False, False)]
    assert snapshot.late
    assert read_attempts(lake, users) == [("repeated", True, False), ("repeated late", True, True)]


def test_each_line_of_an_order_counts(snapshot: Snapshot, lake: Lake, users: list[int]) -> None:
    assert snapshot.valid
    [[total]] = lake.trino.query(
        "select sum(total_usd) from marts.attributed_checkouts"
        f" where checkout_id = 'order of {users[0]}'"
    )
    assert total == sum(PRICES.values())


def test_failed_hour_loses_the_payments_that_were_repeated_in_the_next_one(
    snapshot: Snapshot, lake: Lake, retried_ms: int
) -> None:
    assert snapshot.valid
    hour = f"event_hour = from_unixtime({retried_ms} / 1e3, 'UTC')"
    rows = lake.trino.query(
        f"select checkout_count, paid_checkout_count, revenue_usd, lost_revenue_usd"
        f" from marts.revenue_hourly where {hour}"
    )
    # The order's lines, and two payments for product 1. Marks of event time may be in this hour.
    [[count, paid, revenue, lost]] = rows
    marks = lake.trino.query(
        "select count(*), sum(total_usd) from staging.int_checkouts_deduplicated"
        f" where {hour} and checkout_id not like '% of %'"
    )
    [[mark_count, mark_usd]] = marks
    own_usd = sum(PRICES.values()) + 2 * PRICES[1]
    assert (count, paid) == (mark_count + 5, mark_count + 5)
    assert (revenue, lost) == ((mark_usd or 0) + own_usd, Decimal(0))
    lost_before = lake.trino.query(
        "select lost_revenue_usd from marts.revenue_hourly"
        f" where event_hour = from_unixtime({retried_ms - HOUR_MS} / 1e3, 'UTC')"
    )
    assert [row[0] for row in lost_before] == [Decimal(0)]


def test_mart_credits_each_user_with_the_own_click(
    snapshot: Snapshot, lake: Lake, users: list[int]
) -> None:
    assert snapshot.late
    rows = lake.trino.query(
        "select user_id, is_late, source from marts.attributed_checkouts"
        f" where checkout_id like '% checkout of {users[0]}' order by 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        (user_id, is_late, f"source {number} of {users[0]}")
        for number, user_id in enumerate(users)
        for is_late in (False, True)
    ]


def test_each_users_click_counts(snapshot: Snapshot, lake: Lake, users: list[int]) -> None:
    assert snapshot.valid
    rows = lake.trino.query(
        "select source, sum(click_count) from marts.source_performance_hourly"
        f" where model = 'linear' and source like '% of {users[0]}' group by 1 order by 1"
    )
    assert [tuple(row) for row in rows] == [
        (f"source {number} of {users[0]}", 2) for number in range(len(users))
    ]


def test_data_tests_and_audit_hold(
    snapshot: Snapshot, lakehouse: RunningLakehouse, dbt_on_lake: RunDbt
) -> None:
    assert snapshot.valid
    dbt_on_lake("test", *MARTS, "int_clicks_deduplicated", "int_checkouts_deduplicated")
    assert lakehouse.audit()
