"""The oracle against results computed by hand, because other tests rely on it."""

from decimal import Decimal
from typing import Any

import pytest

from configuration.settings import PIPELINE_FILE, Pipeline, read_section
from reference import oracle
from reference.events import Event, encode, make_checkout, make_click
from tests.support.message_cases import YEAR_2000_MS, MessageCase, message_cases
from tests.support.timelines import Timeline, timelines

MEANINGS = read_section(Pipeline, PIPELINE_FILE)
TOPICS = MEANINGS.topics
APPENDED_AT_MS = 1_750_000_000_000
# Time 0 of the timelines: long before the broker's time, so that no event is in its future.
ZERO_MS = APPENDED_AT_MS - 86_400_000
LOOKBACK_MS = MEANINGS.attribution.lookback_seconds * 1000


def judge(topic: str, *values: bytes | None) -> list[oracle.Valid | oracle.Malformed]:
    """The oracle's verdicts on messages of one partition."""
    return [
        oracle.judge(
            oracle.Message(oracle.Position(topic, 0, offset), None, value, APPENDED_AT_MS),
            TOPICS,
            MEANINGS.contract,
        )
        for offset, value in enumerate(values)
    ]


def accept(topic: str, *events: Event) -> list[oracle.Valid]:
    """The oracle's rows for events, all of which must be valid."""
    verdicts = judge(topic, *map(encode, events))
    rows = [verdict for verdict in verdicts if isinstance(verdict, oracle.Valid)]
    assert len(rows) == len(verdicts), verdicts
    return rows


def attribute(
    clicks: list[Event], checkouts: list[Event], **rules: Any
) -> list[oracle.AttributedCheckout]:
    """The oracle's rows, in order of time."""
    rows = accept(TOPICS.clickstream, *clicks) + accept(TOPICS.checkouts, *checkouts)
    attribution = MEANINGS.attribution.model_copy(update=rules)
    attributed = oracle.attribute(rows, set(), TOPICS, attribution)
    return sorted(
        attributed, key=lambda row: (row.checked_out_at_ms, row.checkout_id, row.product_id)
    )


# --- Attribution --------------------------------------------------------------------------


@pytest.mark.parametrize(("unknown_user_ids", "earner"), [((), "a"), ((7,), "a"), ((0, 7), None)])
def test_click_of_an_unknown_user_earns_nothing(
    unknown_user_ids: tuple[int, ...], earner: str | None
) -> None:
    [row] = attribute(
        [make_click("a", 0, ZERO_MS)],
        [make_checkout("c", 0, ZERO_MS)],
        unknown_user_ids=unknown_user_ids,
    )
    assert (row.click and row.click.click_id, len(row.touchpoints)) == (earner, bool(earner))


@pytest.mark.parametrize(
    ("timeline", "lookback_seconds"),
    [
        pytest.param(timeline, lookback_seconds, id=f"{timeline.reason} ({lookback_seconds} s)")
        for lookback_seconds in (3600, 600)
        for timeline in timelines(lookback_seconds * 1000)
    ],
)
def test_attribution_of_edge_cases_equals_the_rows_computed_by_hand(
    timeline: Timeline, lookback_seconds: int
) -> None:
    rows = attribute(
        timeline.clickstream_events(user_id=7, zero_ms=ZERO_MS),
        timeline.checkout_events(user_id=7, zero_ms=ZERO_MS),
        lookback_seconds=lookback_seconds,
    )
    assert [
        (
            row.checkout_id.removeprefix("7/"),
            [
                f"{touch.click_id.removeprefix('7/')}@{touch.clicked_at_ms - ZERO_MS}"
                for touch in row.touchpoints
            ],
            row.click and row.click.click_id.removeprefix("7/"),
        )
        for row in rows
    ] == timeline.expected


def attempts(*at_ms: int, product_id: int = 1) -> list[Event]:
    """Attempts to pay for one line."""
    return [make_checkout("o", 7, ZERO_MS + at, product_id=product_id) for at in at_ms]


@pytest.mark.parametrize(
    ("at_ms", "others", "counted"),
    [
        ((0,), [None], [0]),
        ((0, 4), [None, 0], [4]),
        ((4, 0, 8), [None, 0, 4], [8]),
        ((0, LOOKBACK_MS), [None, 0], [LOOKBACK_MS]),
        ((0, LOOKBACK_MS + 1), [None, None], [0, LOOKBACK_MS + 1]),
        ((0, LOOKBACK_MS, 2 * LOOKBACK_MS), [None, 0, LOOKBACK_MS], [2 * LOOKBACK_MS]),
    ],
)
def test_attempt_counts_if_no_other_one_follows_within_the_lookback(
    at_ms: tuple[int, ...], others: list[int | None], counted: list[int]
) -> None:
    rows = attribute([], [*attempts(*at_ms), *attempts(2, product_id=2)])
    found = [row.other_attempt_at_ms for row in rows if row.product_id == 1]
    assert found == [None if other is None else ZERO_MS + other for other in others]
    messages = accept(TOPICS.checkouts, *attempts(*at_ms))
    kept = oracle.counted_attempts(messages, MEANINGS.attribution)
    assert [row.occurred_at_ms - ZERO_MS for row in kept] == counted


def test_attempts_with_an_unknown_id_replace_none() -> None:
    rules = {"unknown_ids": ("x", "o")}
    rows = attribute([], attempts(0, 4, 4), **rules)
    assert [row.other_attempt_at_ms for row in rows] == [None, None]
    messages = accept(TOPICS.checkouts, *attempts(0, 4, 4))
    kept = oracle.counted_attempts(messages, MEANINGS.attribution.model_copy(update=rules))
    assert [row.occurred_at_ms - ZERO_MS for row in kept] == [0, 4]


def test_users_with_equal_ids_and_times_are_not_mixed() -> None:
    rows = attribute(
        [make_click("a", user_id, ZERO_MS, source=f"of {user_id}") for user_id in (1, 2)],
        [make_checkout("o", user_id, ZERO_MS) for user_id in (1, 2)],
    )
    sources = [(row.user_id, row.click and row.click.source) for row in rows]
    assert sources == [(1, "of 1"), (2, "of 2")]


@pytest.mark.parametrize(
    ("clicks", "limit", "kept", "reason"),
    [
        (4, 4, [0, 1, 2, 3], "as many as the limit are all kept"),
        (5, 4, [0, 1, 3, 4], "the middle is dropped"),
        (9, 5, [0, 1, 2, 7, 8], "an odd limit keeps one more of the first"),
        (9, 2, [0, 8], "the smallest limit keeps both ends"),
    ],
)
def test_first_and_latest_touchpoints_are_kept_when_there_are_more_than_the_limit(
    clicks: int, limit: int, kept: list[int], reason: str
) -> None:
    middle = clicks // 2
    [row] = attribute(
        [
            make_click(f"c{number}", 7, ZERO_MS + number, product_id=number)
            for number in range(clicks)
        ],
        [make_checkout("o", 7, ZERO_MS + clicks, product_id=middle)],
        max_touchpoints=limit,
    )
    assert [touch.click_id for touch in row.touchpoints] == [f"c{n}" for n in kept], reason
    assert row.touchpoint_count == clicks
    assert row.click is not None, "a click that is not kept must still earn"
    assert row.click.click_id == f"c{middle}"


def test_attribution_ignores_late_rows() -> None:
    clicks = accept(
        TOPICS.clickstream, make_click("a", 7, ZERO_MS - 9), make_click("b", 7, ZERO_MS - 8)
    )
    checkouts = accept(
        TOPICS.checkouts, make_checkout("o", 7, ZERO_MS), make_checkout("p", 7, ZERO_MS)
    )
    late = {clicks[0].position, checkouts[1].position}
    [row] = oracle.attribute(clicks + checkouts, late, TOPICS, MEANINGS.attribution)
    assert (row.checkout_id, row.click and row.click.click_id) == ("o", "b")


def test_row_exactly_at_the_watermark_is_late() -> None:
    lateness = {
        "the first row is never late": (ZERO_MS - 60_000, False),
        "a newer row": (ZERO_MS, False),
        "1 ms inside the bound": (ZERO_MS - 4_999, False),
        "at the watermark": (ZERO_MS - 5_000, True),
        "an old row does not move the watermark back": (ZERO_MS - 4_999, False),
    }
    rows = accept(
        TOPICS.clickstream, *(make_click(name, 7, at) for name, (at, _) in lateness.items())
    )
    late = oracle.find_late(rows, out_of_orderness_seconds=5)
    assert {row.fields["event_id"]: row.position in late for row in rows} == {
        name: is_late for name, (_, is_late) in lateness.items()
    }


def test_time_ahead_of_the_clock_makes_no_other_row_late() -> None:
    events = {"ahead": APPENDED_AT_MS + 50_000}
    events |= {"honest": APPENDED_AT_MS - 4_999, "late": APPENDED_AT_MS - 5_000}
    rows = accept(TOPICS.clickstream, *(make_click(name, 7, at) for name, at in events.items()))
    late = oracle.find_late(rows, out_of_orderness_seconds=5)
    assert [row.fields["event_id"] for row in rows if row.position in late] == ["late"]


# --- Money --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "total", "profit", "reason"),
    [
        ({}, "58.47", "8.10", "58.473 is rounded down; 53.97 x 0.15 = 8.0955 up"),
        (
            {"quantity": 1, "unit_price_usd": 0.01, "discount_share": 0.5, "shipping_usd": 0},
            "0.01",
            "0.00",
            "half a cent is rounded up; 0.0015 down",
        ),
        (
            {"quantity": 1, "unit_price_usd": 2.45, "discount_share": 0.1, "shipping_usd": 0},
            "2.21",
            "0.33",
            "2.205 is rounded up, but binary floats would round it down",
        ),
        (
            {"quantity": 1, "unit_price_usd": 0.01, "discount_share": 0.5, "shipping_usd": 0}
            | {"commission_share": 0.5},
            "0.01",
            "0.01",
            "profit is computed from the rounded total: 0.005, not 0.0025",
        ),
        (
            {"discount_share": 1, "commission_share": 1},
            "4.50",
            "0.00",
            "100 % discount: shipping only",
        ),
        ({"unit_price_usd": 0, "shipping_usd": 0}, "0.00", "0.00", "free"),
        (
            {"unit_price_usd": 9_999_999_999.99, "quantity": 1, "discount_share": 0.9999},
            "1000004.50",
            "150000.00",
            "large amounts are exact",
        ),
    ],
)
def test_total_and_profit_are_computed_and_rounded_half_up(
    parts: Event, total: str, profit: str, reason: str
) -> None:
    [row] = accept(TOPICS.checkouts, make_checkout("o", 7, ZERO_MS, total_usd=1, **parts))
    money = (oracle.total_usd(row.fields), oracle.profit_usd(row.fields))
    assert money == (Decimal(total), Decimal(profit)), reason


# --- Validity -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case.topic}: {case.name}")
        for case in message_cases(TOPICS, MEANINGS.contract, ZERO_MS)
    ],
)
def test_verdict_on_edge_cases_names_the_faulty_field(case: MessageCase) -> None:
    [verdict] = judge(case.topic, case.value)
    faults = verdict.faults if isinstance(verdict, oracle.Malformed) else set()
    assert faults == ({case.fault} if case.fault else set())


@pytest.mark.parametrize(
    ("occurred_at_ms", "is_valid"),
    [
        (YEAR_2000_MS - 1, False),
        (YEAR_2000_MS, True),
        (APPENDED_AT_MS + MEANINGS.contract.max_future_seconds * 1000, True),
        (APPENDED_AT_MS + MEANINGS.contract.max_future_seconds * 1000 + 1, False),
    ],
)
def test_time_must_be_between_2000_and_the_brokers_time_plus_the_allowed_future(
    occurred_at_ms: int, is_valid: bool
) -> None:
    [verdict] = judge(TOPICS.clickstream, encode(make_click("a", 7, occurred_at_ms)))
    assert isinstance(verdict, oracle.Valid) == is_valid


def test_trailing_zeros_of_money_do_not_count_as_digits() -> None:
    body = encode(make_checkout("o", 7, ZERO_MS)).replace(b"19.99", b"19.9900")
    [verdict] = judge(TOPICS.checkouts, body)
    assert isinstance(verdict, oracle.Valid)


def test_verdict_names_every_faulty_field() -> None:
    [verdict] = judge(TOPICS.clickstream, encode(make_click("a", 7, 0, session_id=None)))
    assert isinstance(verdict, oracle.Malformed)
    assert verdict.faults == {"session_id", "occurred_at_ms"}
