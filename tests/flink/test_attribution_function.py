"""The attribution function by itself, on a real Flink: its limits, and random journeys."""

import json
import random
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from configuration.settings import Attribution, Topics, load_settings
from configuration.sql import sql_literal
from reference.events import Event, encode, make_checkout, make_click
from reference.oracle import AttributedCheckout, Position, Valid, attribute
from tests.support.flink_queries import FlinkQueries

ZERO_MS = 1_700_000_000_000
RULES = Attribution(
    unknown_user_ids=(),
    unknown_ids=("o3", "it's unknown"),
    lookback_seconds=600,
    max_touchpoints=5,
    max_clicks_per_user=20,
)
LOOKBACK_MS = RULES.lookback_seconds * 1000
# A watermark this far behind keeps every event of a test on time.
ALL_ON_TIME_SECONDS = 3 * RULES.lookback_seconds

TABLE = """
create temporary table journey_events (
    user_id bigint, click_id string, checkout_id string, product_id bigint, source string,
    campaign string, quantity int, total_usd decimal(12, 2), profit_usd decimal(12, 2),
    payment_method string, payment_status string, failure_reason string, occurred_at_ms bigint,
    occurred_at as to_timestamp_ltz(occurred_at_ms, 3),
    watermark for occurred_at as occurred_at - {slack_seconds} * interval '1' second
) with ('connector' = 'filesystem', 'path' = 'file://{path}', 'format' = 'json')
"""
VIEW = """
create temporary view events as select
    user_id, click_id, checkout_id, product_id, source, campaign, quantity, total_usd,
    profit_usd, payment_method, payment_status, failure_reason, occurred_at_ms
from journey_events
"""
FUNCTION = """
create temporary system function attribute
as 'io.tributary.attribution.AttributionFunction' language java
"""
QUERY = """
select
    checkout_id, cast(unix_timestamp(cast(checked_out_at as string)) as bigint) as at_second,
    product_id, touchpoint_count, click_id, is_truncated,
    cast(unix_timestamp(cast(other_attempt_at as string)) as bigint) as other_attempt_at_second,
    cast(touchpoints as string) as touchpoints
from attribute(
    event => table events partition by user_id,
    lookback_seconds => {lookback_seconds},
    max_touchpoints => {max_touchpoints},
    max_clicks_per_user => {max_clicks_per_user},
    unknown_ids => {unknown_ids},
    uid => 'attribute'
)
"""


class Answer(NamedTuple):
    """The columns of the function's row that these tests check; `shown` are ids of touchpoints."""

    checkout_id: str
    at_second: int
    product_id: int
    touchpoint_count: int
    click_id: str | None
    is_truncated: bool
    other_attempt_at_second: int | None
    shown: tuple[str, ...]


class Attribute:
    """Calls the function with events in order of arrival."""

    def __init__(self, query: FlinkQueries, folder: Path) -> None:
        self._query = query
        self._folder = folder

    def __call__(
        self,
        events: list[Event],
        rules: Attribution = RULES,
        slack_seconds: int = ALL_ON_TIME_SECONDS,
    ) -> list[Answer]:
        file = self._folder / "events.json"
        file.write_text("".join(json.dumps(_as_row(event)) + "\n" for event in events))
        table = TABLE.format(path=file, slack_seconds=slack_seconds)
        unknown_ids = sql_literal("\n".join(rules.unknown_ids))
        arguments = rules.model_dump() | {"unknown_ids": unknown_ids}
        rows = self._query([table, VIEW, FUNCTION], QUERY.format(**arguments))
        ids = re.compile(r"\(([^,]+),")
        answers = [Answer._make((*row[:-1], tuple(ids.findall(row[-1])))) for row in rows]
        return sorted(answers, key=str)


@pytest.fixture
def attribute_events(query: FlinkQueries, tmp_path: Path) -> Attribute:
    return Attribute(query, tmp_path)


def _as_row(event: Event) -> Event:
    """An event of either topic as a row of the table `journey_events`."""
    row = {"click_id" if key == "event_id" else key: value for key, value in event.items()}
    return row | ({"total_usd": 58.47, "profit_usd": 8.1} if "checkout_id" in row else {})


def _clicks(count: int, step_ms: int = 1000, user_id: int = 1) -> list[Event]:
    """Clicks c00, c01 and so on from time zero; all are on product 2 except c03, on product 1."""
    return [
        make_click(f"c{i:02}", user_id, ZERO_MS + i * step_ms, product_id=1 if i == 3 else 2)
        for i in range(count)
    ]


def test_row_shows_the_first_half_and_the_latest_of_many_touchpoints(
    attribute_events: Attribute,
) -> None:
    [answer] = attribute_events([*_clicks(12), make_checkout("o", 1, ZERO_MS + 20_000)])
    assert answer.touchpoint_count == 12
    assert answer.shown == ("c00", "c01", "c02", "c10", "c11")
    assert answer.click_id == "c03", "a click that is not shown must still earn"


def test_clicks_at_the_same_time_are_ordered_by_the_utf8_bytes_of_their_ids(
    attribute_events: Attribute,
) -> None:
    names = ("b", "a", "\U0001f600", "\ue000")
    clicks = [make_click(name, 1, ZERO_MS) for name in names]
    [answer] = attribute_events([*clicks, make_checkout("o", 1, ZERO_MS)])
    assert answer.shown == ("a", "b", "\ue000", "\U0001f600")


def test_row_is_flagged_truncated_when_a_user_has_more_clicks_than_state_holds(
    attribute_events: Attribute,
) -> None:
    later = ZERO_MS + 40_000 + LOOKBACK_MS
    first, second = attribute_events(
        [
            *_clicks(30),
            make_checkout("first", 1, ZERO_MS + 40_000),
            make_checkout("second", 1, later),
        ]
    )
    assert (first.touchpoint_count, first.is_truncated) == (20, True)
    assert (second.touchpoint_count, second.is_truncated) == (0, False)


def test_new_clicks_are_kept_after_older_ones_have_expired(
    attribute_events: Attribute,
) -> None:
    pause_ms = 3 * LOOKBACK_MS
    again = [
        event | {"event_id": f"d{i}", "occurred_at_ms": event["occurred_at_ms"] + pause_ms}
        for i, event in enumerate(_clicks(5))
    ]
    others = [make_click("moves the watermark", 2, ZERO_MS + pause_ms + i) for i in range(2)]
    checkout = make_checkout("o", 1, ZERO_MS + pause_ms + 10_000)
    [answer] = attribute_events([*_clicks(30), *others, *again, checkout], slack_seconds=5)
    assert (answer.touchpoint_count, answer.is_truncated) == (5, False)


def test_checkout_behind_the_watermark_is_answered(
    attribute_events: Attribute,
) -> None:
    others = make_click("far", 2, ZERO_MS + LOOKBACK_MS // 2)
    [answer] = attribute_events(
        [*_clicks(5), others, make_checkout("o", 1, ZERO_MS + 20_000)], slack_seconds=5
    )
    assert (answer.checkout_id, answer.touchpoint_count) == ("o", 5)


def test_each_attempt_at_a_line_is_answered_once_and_names_the_one_before(
    attribute_events: Attribute,
) -> None:
    times = (0, LOOKBACK_MS, 0, 2 * LOOKBACK_MS + 1000, LOOKBACK_MS)
    answers = attribute_events([make_checkout("o", 1, ZERO_MS + at) for at in times])
    assert seconds_of(answers) == [
        (0, None),
        (LOOKBACK_MS // 1000, 0),
        (2 * LOOKBACK_MS // 1000 + 1, None),
    ]


def test_lines_of_a_checkout_are_answered_apart(attribute_events: Attribute) -> None:
    lines = [make_checkout("o", 1, ZERO_MS, product_id=product) for product in (3, 1, 2, 1)]
    answers = attribute_events([*_clicks(5), *lines])
    assert [(answer.product_id, answer.other_attempt_at_second) for answer in answers] == [
        (1, None),
        (2, None),
        (3, None),
    ]


def seconds_of(answers: list[Answer]) -> list[tuple[int, int | None]]:
    """The times of each answer and of the attempt that it names, in seconds after zero."""
    zero = ZERO_MS // 1000
    return [
        (answer.at_second - zero, other and other - zero)
        for answer in answers
        for other in [answer.other_attempt_at_second]
    ]


@pytest.mark.parametrize("slack_seconds", [90, ALL_ON_TIME_SECONDS])
def test_answers_for_random_journeys_equal_the_oracles(
    attribute_events: Attribute, slack_seconds: int
) -> None:
    """Includes disorder within the slack, ties, repeated events, and distances of one lookback."""
    events = list(_random_events(random.Random(7), count=4000, disorder_ms=60_000))
    rules = RULES.model_copy(update={"max_clicks_per_user": 10_000})
    answers = attribute_events(events, rules, slack_seconds)
    topics = load_settings().pipeline.topics
    rows = [_as_valid(event, offset, topics) for offset, event in enumerate(events)]
    expected = [_as_answer(row) for row in attribute(rows, [], topics, rules)]
    assert answers == sorted(expected, key=str)


def _random_events(chance: random.Random, count: int, disorder_ms: int) -> Iterator[Event]:
    sent: list[Event] = []
    for i in range(count):
        at_ms = ZERO_MS + i * 2000 - chance.randrange(disorder_ms)
        at_ms -= at_ms % chance.choice([1, 1000, LOOKBACK_MS])
        at_ms = max(at_ms, ZERO_MS + i * 2000 - disorder_ms)
        user_id = chance.randrange(8)
        product_id = chance.randrange(3)
        if chance.random() < 0.03 and sent:
            event = chance.choice(sent[-20:])
        elif chance.random() < 0.2:
            event = make_checkout(f"o{chance.randrange(4)}", user_id, at_ms, product_id=product_id)
        else:
            event = make_click(f"c{chance.randrange(10**6)}", user_id, at_ms, product_id=product_id)
        sent.append(event)
        yield event


def _as_valid(event: Event, offset: int, topics: Topics) -> Valid:
    topic = topics.checkouts if "checkout_id" in event else topics.clickstream
    fields = json.loads(encode(event), parse_float=Decimal)
    return Valid(Position(topic, 0, offset), fields, event["occurred_at_ms"])


def _as_answer(row: AttributedCheckout) -> Answer:
    return Answer(
        row.checkout_id,
        row.checked_out_at_ms // 1000,
        row.product_id,
        row.touchpoint_count,
        row.click.click_id if row.click else None,
        False,
        None if row.other_attempt_at_ms is None else row.other_attempt_at_ms // 1000,
        tuple(touchpoint.click_id for touchpoint in row.touchpoints),
    )
