"""The message format by itself: JSON values for each column type, through a real Kafka."""

import json
import uuid

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from configuration.kafka_client import FLINKS_KAFKA, MECHANISM, PROTOCOL, kafka_jaas
from reference.kafka import REQUEST_SECONDS, Kafka, Outgoing
from tests.support.flink_queries import FlinkQueries
from tests.support.lakehouses import RunningLakehouse

TABLE = """
create temporary table messages (
    text string, small int, big bigint, number double, price decimal(6, 2), flag boolean,
    born_on date, moment timestamp_ltz(6),
    kafka_offset bigint metadata from 'offset' virtual,
    body bytes metadata from 'value.body' virtual,
    problems map<string, string> metadata from 'value.problems' virtual
) with (
    'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
    'properties.security.protocol' = '{protocol}', 'properties.sasl.mechanism' = '{mechanism}',
    'properties.sasl.jaas.config' = '{jaas}',
    'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
    'value.format' = 'lossless-json'{options}
)
"""
QUERY = """
select
    kafka_offset, cast(text as string), cast(small as string), cast(big as string),
    cast(number as string), cast(price as string), cast(flag as string),
    cast(born_on as string), cast(moment as string),
    cast(problems as string), case when body is null then null else cast(body as string) end
from messages
"""
FIELDS = ("text", "small", "big", "number", "price", "flag", "born_on", "moment")

# A column, a JSON value, and what the column must hold.
READABLE = [
    ("text", '"é\\ud83d\\ude00"', "é😀"),
    ("text", '""', ""),
    ("text", "null", None),
    ("small", "2147483647", "2147483647"),
    ("small", "-0", "0"),
    ("big", "-9223372036854775808", "-9223372036854775808"),
    ("number", "52", "52.0"),
    ("number", "-1.5e-3", "-0.0015"),
    ("price", "9999.99", "9999.99"),
    ("price", "1.1000", "1.10"),
    ("price", "12e1", "120.00"),
    ("flag", "true", "TRUE"),
    ("born_on", "0", "1970-01-01"),
    ("born_on", "-719162", "0001-01-01"),
    ("born_on", "2932896", "9999-12-31"),
    ("moment", '"2026-01-31T12:00:00Z"', "2026-01-31 12:00:00.000000"),
    ("moment", '"1969-12-31T23:59:59.999999Z"', "1969-12-31 23:59:59.999999"),
    ("moment", '"2026-01-31T12:00:00.100000000Z"', "2026-01-31 12:00:00.100000"),
]
# A column, a JSON value, and the problem that must be reported.
FAULTY = [
    ("text", "1", "expected string, got integer"),
    ("text", '{"a": [1, {}]}', "expected string, got object"),
    ("text", '"\\ud83d"', "has half a surrogate pair, which is no character"),
    ("small", '"42"', "expected integer, got string"),
    ("small", "1.0", "expected integer, got number with a fraction or an exponent"),
    ("small", "2147483648", "does not fit int"),
    ("big", "1e3", "expected integer, got number with a fraction or an exponent"),
    ("big", "9223372036854775808", "does not fit bigint"),
    ("number", "1e999", "does not fit double"),
    ("number", "true", "expected number, got boolean"),
    ("price", "10000", "does not fit decimal(6,2)"),
    ("price", "0.001", "does not fit decimal(6,2)"),
    ("price", "1e999999999", "does not fit decimal(6,2)"),
    ("price", "1e99999999999", "does not fit decimal(6,2)"),
    ("flag", '"true"', "expected boolean, got string"),
    ("born_on", '"1970-01-01"', "expected integer, got string"),
    ("born_on", "2932897", "not within the years 1 to 9999"),
    ("born_on", "-719163", "not within the years 1 to 9999"),
    ("born_on", "2147483648", "does not fit int"),
    ("moment", "0", "expected string, got integer"),
    ("moment", '"2026-01-31 12:00:00"', "is no moment such as 2026-01-31T12:00:00Z"),
    ("moment", '"2026-02-30T12:00:00Z"', "is no moment such as 2026-01-31T12:00:00Z"),
    ("moment", '"2026-01-31T12:00:00.1234567Z"', "does not fit timestamp_ltz(6)"),
    ("moment", '"+10000-01-01T00:00:00Z"', "not within the years 1 to 9999"),
    ("small", '1, "small": 1', "given twice"),
]
# Whole messages, and the problem that must be reported.
UNREADABLE = [
    (None, "empty"),
    (b"", "empty"),
    (b" \n", "not a JSON object: blank"),
    (b"[1]", "not a JSON object: array"),
    (b"null", "not a JSON object: null"),
    (b'{"text": "x"', "not a JSON object: syntax error at byte 12"),
    (b'{"text": "x"} {}', "not a JSON object: more text after its end"),
    (b"{'text': 1}", "not a JSON object: syntax error at byte 1"),
    (b'{"other": ' + b"[" * 2000, "not a JSON object: nested too deep, or a number too long"),
    (b'{"text": "\xc0\x80"}', "invalid UTF-8 at byte 10"),
    (b'{"text": "\xed\xa0\x80"}', "invalid UTF-8 at byte 10"),
    (b'{"text": "\xf4\x90\x80\x80"}', "invalid UTF-8 at byte 10"),
    (b'{"text": "\xe2\x82', "invalid UTF-8 at byte 10"),
    ('{"text": "x"}'.encode("utf-16-le"), "not a JSON object: syntax error at byte 2"),
]


@pytest.fixture(scope="module")
def rows(stores: RunningLakehouse, query: FlinkQueries) -> dict[int, list[str | None]]:
    """The format's row for every message above, by its position in `_bodies()`."""
    return read(stores, query, _bodies(), "")


def read(
    stores: RunningLakehouse, query: FlinkQueries, bodies: list[bytes | None], options: str
) -> dict[int, list[str | None]]:
    """The format's row for each message, by its position."""
    client = stores.kafka_client()
    topic = f"format-{uuid.uuid4()}"
    # Keep a reference: a garbage-collected client cancels its requests.
    admin = AdminClient(client)
    [created] = admin.create_topics([NewTopic(topic, 1)]).values()
    created.result(REQUEST_SECONDS)
    Kafka(client).send(Outgoing(topic, 0, None, body) for body in bodies)
    table = TABLE.format(
        topic=topic,
        servers=client["bootstrap.servers"],
        protocol=PROTOCOL,
        mechanism=MECHANISM,
        jaas=kafka_jaas("admin", client["sasl.password"], FLINKS_KAFKA),
        options=options,
    )
    found = query([table], QUERY)
    return {offset: rest for offset, *rest in found}


def _bodies() -> list[bytes | None]:
    fields = [f'{{"unknown": [{{}}], "{name}": {text}}}' for name, text, _ in READABLE + FAULTY]
    return [*(body.encode() for body in fields), *(body for body, _ in UNREADABLE)]


def test_each_message_gives_one_row_even_if_unreadable(
    rows: dict[int, list[str | None]],
) -> None:
    assert sorted(rows) == list(range(len(_bodies())))


def test_valid_values_are_read_exactly(rows: dict[int, list[str | None]]) -> None:
    for offset, (name, text, expected) in enumerate(READABLE):
        row = dict(zip((*FIELDS, "problems"), rows[offset], strict=False))
        assert (row[name], row["problems"]) == (expected, None), text


def test_problem_is_reported_when_a_column_cannot_hold_a_value(
    rows: dict[int, list[str | None]],
) -> None:
    for offset, (name, text, problem) in enumerate(FAULTY, start=len(READABLE)):
        row = dict(zip((*FIELDS, "problems"), rows[offset], strict=False))
        assert (row[name], row["problems"]) == (None, f"{{{name}={problem}}}"), text


def test_problem_is_reported_when_a_message_is_not_a_json_object(
    rows: dict[int, list[str | None]],
) -> None:
    first = len(READABLE) + len(FAULTY)
    for offset, (body, problem) in enumerate(UNREADABLE, start=first):
        assert rows[offset][:9] == [None] * 8 + [f"{{={problem}}}"], body


def test_options_read_decimals_as_text_and_limit_texts_and_messages(
    stores: RunningLakehouse, query: FlinkQueries
) -> None:
    options = (
        ", 'value.lossless-json.decimals-as-text' = 'true'"
        ", 'value.lossless-json.max-characters' = '3'"
        ", 'value.lossless-json.max-bytes' = '60'"
    )
    cases = [
        ("price", '"1.1"', "1.10", None),
        ("price", "1.1", "1.10", None),
        ("price", '"NaN"', None, "does not fit decimal(6,2)"),
        ("price", '"0.001"', None, "does not fit decimal(6,2)"),
        ("price", "true", None, "expected number, got boolean"),
        ("text", '"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00"', "😀😀😀", None),
        ("text", '"abcd"', None, "longer than 3 characters"),
    ]
    bodies: list[bytes | None] = [f'{{"{name}": {text}}}'.encode() for name, text, *_ in cases]
    largest, too_large = b'{"text": "a"}'.ljust(60), b'{"text": "a"}'.ljust(61)
    rows = read(stores, query, [*bodies, largest, too_large], options)
    assert (rows[len(bodies)][0], rows[len(bodies)][8]) == ("a", None)
    assert rows[len(bodies) + 1][8:] == ["{=larger than 60 bytes}", largest.decode()]
    for offset, (name, text, value, problem) in enumerate(cases):
        row = dict(zip((*FIELDS, "problems"), rows[offset], strict=False))
        expected = None if problem is None else f"{{{name}={problem}}}"
        assert (row[name], row["problems"]) == (value, expected), text


def test_body_of_a_readable_message_is_kept(rows: dict[int, list[str | None]]) -> None:
    assert json.loads(rows[0][9] or "")["text"] == "é😀"
