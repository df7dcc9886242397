"""Messages on both sides of every limit of the contract, each with its faulty field.

The oracle must agree with them (tests/unit), and the job with the oracle (tests/e2e).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from configuration.settings import Contract, Topics
from reference.events import Event, encode, make_checkout, make_click

YEAR_2000_MS = 946_684_800_000
YEAR_2100_MS = 4_102_444_800_000
# A field with this value is left out of the message.
ABSENT = object()
# Text that would be another source or id beside the one that people mean, or shows as nothing.
BAD_LABELS = [
    *["x" * 129, "\U0001f600" * 129, "a\nb", "\x00", "a\x7f", "a\x85", "a\u2028"],
    *[" a", "a ", "a\t", "\u00a0a", "a\u3000", " "],
]
BAD_IDS = ["", *BAD_LABELS]
# A fault of the message as a whole.
WHOLE_MESSAGE = "message"


@dataclass(frozen=True)
class MessageCase:
    """A message, and the faulty field for which it must be quarantined (None: it is valid)."""

    name: str
    topic: str
    value: bytes | None
    fault: str | None


def message_cases(
    topics: Topics, contract: Contract, occurred_at_ms: int, prefix: str = ""
) -> Iterator[MessageCase]:
    """All cases, of one user, at the given time.

    Each valid message has its own id. It begins with `prefix`, unless the case is about the id.
    """
    click = encode(make_click("unreadable", 7, occurred_at_ms))
    for name, body in unreadable_bodies(click).items():
        yield MessageCase(name, topics.clickstream, body, WHOLE_MESSAGE)
    for name, body in readable_bodies(click).items():
        yield MessageCase(name, topics.clickstream, body, None)
    yield MessageCase(
        "user_id twice",
        topics.clickstream,
        click.replace(b'"user_id":7', b'"user_id":7,"user_id":7'),
        "user_id",
    )
    sample = make_click(prefix, 7, occurred_at_ms)
    yield from _field_cases(topics.clickstream, sample, bad_click_values(occurred_at_ms), True)
    yield from _field_cases(topics.clickstream, sample, good_click_values(contract), False)
    sample = make_checkout(prefix, 7, occurred_at_ms)
    yield from _field_cases(topics.checkouts, sample, bad_checkout_values(occurred_at_ms), True)
    yield from _field_cases(topics.checkouts, sample, good_checkout_values(contract), False)
    yield MessageCase(
        "more money than a column holds",
        topics.checkouts,
        encode(make_checkout(f"{prefix}rich", 7, occurred_at_ms, quantity=2**31 - 1)),
        "total_usd",
    )


def _field_cases(
    topic: str, sample: Event, values: dict[str, list[Any]], is_fault: bool
) -> Iterator[MessageCase]:
    id_field = next(iter(sample))
    for field, choices in values.items():
        for number, value in enumerate(choices):
            event = sample | {id_field: f"{sample[id_field]}{field}-{number}"} | {field: value}
            body = encode({key: each for key, each in event.items() if each is not ABSENT})
            shown = "absent" if value is ABSENT else repr(value)
            yield MessageCase(f"{field} {shown}", topic, body, field if is_fault else None)


def unreadable_bodies(click: bytes) -> dict[str, bytes | None]:
    """Bodies that are not one JSON object in UTF-8."""
    return {
        "a tombstone": None,
        "an empty message": b"",
        "white space": b" \n",
        "cut off": click[:-1],
        "a second object after the first": click + click,
        "a comma after the object": click + b",",
        "an array": b"[" + click + b"]",
        "a string": b'"click"',
        "null": b"null",
        "invalid UTF-8 in a string": click.replace(b"phone", b"ph\xffne"),
        "an overlong form": click.replace(b"phone", b"ph\xc0\xafne"),
        "a surrogate in UTF-8": click.replace(b"phone", b"ph\xed\xa0\x80ne"),
        "UTF-16": click.decode().encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf" + click,
        "NaN": click.replace(b"52.5", b"NaN"),
        "minus infinity": click.replace(b"52.5", b"-Infinity"),
        "single quotes": click.replace(b'"', b"'"),
        "a comment": click.replace(b"{", b"{/* */", 1),
        "a leading zero": click.replace(b'"user_id":7', b'"user_id":07'),
        "a plus": click.replace(b'"user_id":7', b'"user_id":+7'),
        "a raw control character": click.replace(b"phone", b"ph\nne"),
        "900 KB that never end": b'{"event_id":"' + b"x" * 900_000,
        "brackets without end": b"[" * 200_000,
    }


def readable_bodies(click: bytes) -> dict[str, bytes]:
    """Bodies that are one JSON object, although an unusual one."""
    return {
        "white space around": b"\r\n\t " + click + b" \n",
        "an unknown field of 900 KB": click.replace(
            b"{", b'{"extra":"' + b"x" * 900_000 + b'",', 1
        ),
        "an unknown field, nested and repeated": click.replace(
            b"{", b'{"extra":{"user_id":["7",null]},"extra":1e400,', 1
        ),
        "fields of the other topic, of any type": click.replace(
            b"{", b'{"quantity":"x","payment_status":7,', 1
        ),
        "escapes": click.replace(b"user_id", b"user\\u005fid").replace(b"phone", b"\\ud83d\\ude00"),
        "another alphabet": click.replace(b"phone", "téléphone \U0001f600".encode()),
    }


def bad_click_values(occurred_at_ms: int) -> dict[str, list[Any]]:
    """Values by field; each makes its message malformed."""
    return {
        "event_id": [ABSENT, None, 1, ["a"], *BAD_IDS],
        "event_type": [ABSENT, None, "Click", "hover", "", 1],
        "user_id": [ABSENT, None, "42", 1.0, 1e300, True, 2**63, -(2**63) - 1, [7], {}],
        "session_id": [ABSENT, None, 1, *BAD_IDS],
        "product_id": ["1", 1.5, False],
        "source": [1, ["search"], "\ud800", *BAD_LABELS],
        "campaign": [True, *BAD_LABELS],
        "url": [1, "é" * 2049],
        "device": [1, "x" * 257],
        "user_agent": [{}, "x" * 513],
        "ip_address": [2130706433, "x" * 257],
        "latitude": ["52.5", True, 90.1, -90.1, 1e300],
        "longitude": [[], 180.1, -180.1, -1e300],
        "occurred_at_ms": [
            *[ABSENT, None, "2024-01-01T00:00:00Z", str(occurred_at_ms), float(occurred_at_ms)],
            *[0, -1, YEAR_2000_MS - 1, YEAR_2100_MS, occurred_at_ms * 1000],
        ],
    }


def good_click_values(contract: Contract) -> dict[str, list[Any]]:
    """Values by field; each is unusual or at a limit, but valid."""
    return {
        "event_id": ["x" * 128, "\U0001f600" * 128, "a b", "\u200dé"],
        "event_type": list(contract.event_types),
        "user_id": [0, -1, 2**63 - 1, -(2**63)],
        "product_id": [ABSENT, None, 0, 2**63 - 1, -(2**63)],
        "source": [ABSENT, None, "", "x" * 128, "\U0001f600" * 128, "paid search", "بحث"],
        "campaign": [ABSENT, None, "é" * 128],
        "session_id": ["\U0001f600" * 128],
        "url": ["\U0001f600" * 2048, " ", "\x00"],
        "device": ["\U0001f600" * 256],
        "user_agent": ["\U0001f600" * 512],
        "ip_address": ["\U0001f600" * 256],
        "latitude": [ABSENT, None, 0, -33, 90, -90],
        "longitude": [180, -180, 1e-300],
    }


def bad_checkout_values(occurred_at_ms: int) -> dict[str, list[Any]]:
    """Values by field; each makes its message malformed."""
    return {
        "checkout_id": [ABSENT, None, 1, *BAD_IDS],
        "user_id": [ABSENT, None, "42"],
        "session_id": [ABSENT, None, *BAD_IDS],
        "product_id": [ABSENT, None, "1"],
        "quantity": [ABSENT, None, 0, -1, 1.0, "1", True, 2**31],
        "unit_price_usd": [ABSENT, None, -0.01, "19.99", 19.999, 10**10, True],
        "discount_share": [ABSENT, None, -0.1, 1.0001, 0.00001, "0"],
        "shipping_usd": [ABSENT, None, -1, 0.001],
        "commission_share": [ABSENT, None, 1.1, 0.12345],
        "payment_method": [ABSENT, None, "cash", 1],
        "payment_status": [ABSENT, None, "pending", "Succeeded"],
        "failure_reason": [1, "x" * 257],
        "shipping_address": [{}, "x" * 513],
        "billing_address": [1, "x" * 513],
        "user_agent": [False, "x" * 513],
        "ip_address": [[], "x" * 257],
        "occurred_at_ms": [ABSENT, None, 0, "0", YEAR_2100_MS, occurred_at_ms * 1000],
    }


def good_checkout_values(contract: Contract) -> dict[str, list[Any]]:
    """Values by field; each is unusual or at a limit, but valid."""
    return {
        "user_id": [0, -1, 2**63 - 1, -(2**63)],
        "product_id": [0, 2**63 - 1, -(2**63)],
        "quantity": [1, 2**24],
        # The sample buys three with 10 % off, and a total has at most ten digits of dollars.
        "unit_price_usd": [0, 1, 0.5, 3.10, 3_703_703_700],
        "discount_share": [0, 1, 0.0001, 1.0],
        "commission_share": [0, 1, 0.9999],
        "shipping_usd": [0, 0.01, 9_999_999_900],
        "failure_reason": [ABSENT, None, "expired_card", "\U0001f600" * 256],
        "shipping_address": [ABSENT, None, "\U0001f600" * 512],
        "billing_address": [ABSENT, None, "\U0001f600" * 512],
        "payment_method": list(contract.payment_methods),
    }
