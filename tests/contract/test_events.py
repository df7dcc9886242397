"""Every module that lists an event's fields has exactly those of configuration/events.toml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configuration.events import EVENTS_FILE, Event, Events, load_events
from configuration.settings import Pipeline, load_settings, read_section
from infra.operations.reference import render_pages
from producer.messages import Checkout, ClickstreamEvent
from reference import oracle
from reference.events import encode, make_checkout, make_click
from reference.oracle import Malformed, Message, Position, Valid
from tests.support.message_cases import bad_checkout_values, bad_click_values

EVENTS = load_events()
NOW_MS = 1_700_000_000_000
CASES = [
    pytest.param(EVENTS.clickstream, make_click, id="clickstream"),
    pytest.param(EVENTS.checkouts, make_checkout, id="checkouts"),
]
Make = Callable[[str, int, int], dict[str, Any]]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_settings().pipeline


def judge(pipeline: Pipeline, event: Event, body: dict[str, Any]) -> Valid | Malformed:
    is_click = event is EVENTS.clickstream
    topic = pipeline.topics.clickstream if is_click else pipeline.topics.checkouts
    message = Message(Position(topic, 0, 0), b"1", encode(body), NOW_MS)
    return oracle.judge(message, pipeline.topics, pipeline.contract)


@pytest.mark.parametrize(("event", "make"), CASES)
def test_reference_events_have_every_field(event: Event, make: Make) -> None:
    assert make("id", 1, NOW_MS).keys() == event.fields.keys(), "reference/events.py"


@pytest.mark.parametrize(
    ("event", "sent"), [(EVENTS.clickstream, ClickstreamEvent), (EVENTS.checkouts, Checkout)]
)
def test_producer_sends_every_field(event: Event, sent: type) -> None:
    assert sent.__annotations__.keys() == event.fields.keys(), "producer/messages.py"


@pytest.mark.parametrize(("event", "make"), CASES)
def test_oracle_knows_every_field(event: Event, make: Make, pipeline: Pipeline) -> None:
    verdict = judge(pipeline, event, make("id", 1, NOW_MS))
    assert isinstance(verdict, Valid)
    assert verdict.fields.keys() == event.fields.keys(), "reference/oracle.py"


@pytest.mark.parametrize(("event", "make"), CASES)
def test_oracle_requires_the_same_fields(event: Event, make: Make, pipeline: Pipeline) -> None:
    body = make("id", 1, NOW_MS)
    for name, field in event.fields.items():
        verdict = judge(pipeline, event, {**body, name: None})
        assert isinstance(verdict, Malformed) is field.required, f"reference/oracle.py: {name}"


@pytest.mark.parametrize(
    ("event", "bad_values"),
    [(EVENTS.clickstream, bad_click_values), (EVENTS.checkouts, bad_checkout_values)],
)
def test_every_field_has_malformed_messages(
    event: Event, bad_values: Callable[[int], dict[str, list[Any]]]
) -> None:
    assert bad_values(NOW_MS).keys() == event.fields.keys(), "tests/support/message_cases.py"


def test_reference_pages_are_up_to_date() -> None:
    stale = [
        str(file)
        for file, text in render_pages().items()
        if not file.exists() or file.read_text() != text
    ]
    assert stale == [], "run `make reference`"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('type = "usd"', 'type = "money"'), "unit_price_usd"),
        (('one_of = "event_types"', 'one_of = "kinds"'), "event_type.one_of"),
        (("at_least = 1", "at_last = 1"), "quantity.at_last: unknown key"),
        (
            ('product_id = { type = "int64"', 'product_id = { type = "int32"'),
            "product_id is int32 in clickstream and int64 in checkouts",
        ),
        (
            ('type = "id", required = true, max_length = 128', 'type = "id", required = true'),
            "event_id: max_length: missing, and type is id; add it",
        ),
        (
            ('type = "int32"', 'max_length = 3, type = "int32"'),
            "max_length = 3: only allowed if type is id or label or text, not int32",
        ),
    ],
)
def test_error_names_the_field_when_the_contract_is_wrong(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    wrong = tmp_path / "events.toml"
    wrong.write_text(EVENTS_FILE.read_text().replace(*change, 1))
    with pytest.raises(Exception, match=message) as raised:
        read_section(Events, wrong)
    assert str(wrong) in str(raised.value)
