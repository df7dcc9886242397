"""Messages that break the contract: a body and a kind in, bytes that the job must reject out."""

from collections.abc import Callable
from typing import Any, cast

from producer.messages import Body, encode_body

YEAR_2100_MS = 4_102_444_800_000
DAY_MS = 86_400_000


def break_body(kind: str, body: Body) -> bytes:
    """Encode `body`, broken in the way that `kind` says; does not change `body`.

    Raises:
        KeyError: the body's topic has no such kind.
    """
    return (_CLICKSTREAM if "event_id" in body else _CHECKOUTS)[kind](dict(body))


def kinds_for(body: Body) -> tuple[str, ...]:
    """The kinds of malformed message for this body's topic."""
    return CLICKSTREAM_KINDS if "event_id" in body else CHECKOUTS_KINDS


def _cut_off(body: dict[str, Any]) -> bytes:
    whole = _encode(body)
    return whole[: len(whole) // 2]


def _with(**changes: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda body: _encode({**body, **changes})


def _without(key: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda body: _encode({name: value for name, value in body.items() if name != key})


def _dated_1970(body: dict[str, Any]) -> bytes:
    """Seconds instead of milliseconds."""
    return _encode({**body, "occurred_at_ms": body["occurred_at_ms"] // 1000})


def _dated_2100(body: dict[str, Any]) -> bytes:
    return _encode({**body, "occurred_at_ms": YEAR_2100_MS + body["occurred_at_ms"] % DAY_MS})


def _negative_money(body: dict[str, Any]) -> bytes:
    return _encode({**body, "unit_price_usd": -body["unit_price_usd"]})


def _latin_1_in(key: str) -> Callable[[dict[str, Any]], bytes]:
    """Put Latin-1 text into one field: it is not UTF-8, the rest of the message is valid."""
    mark = f'"{key}":"'.encode()
    return lambda body: _encode(body).replace(mark, mark + "é".encode("latin-1") + b"t", 1)


def _nothing(_: dict[str, Any]) -> bytes:
    return b""


def _encode(body: dict[str, Any]) -> bytes:
    return encode_body(cast(Body, body))


_CLICKSTREAM: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "malformed_json": _cut_off,
    "wrong_type": _with(user_id="the one with the hat"),
    "missing_id": _without("event_id"),
    "empty_id": _with(event_id=""),
    "control_character": _with(source="mail\r\nreferer"),
    "padded_label": _with(campaign="spring "),
    "long_text": _with(url="/search?q=" + "very" * 600),
    "off_the_globe": _with(latitude=1e300),
    "dated_1970": _dated_1970,
    "dated_2100": _dated_2100,
    "unknown_enum": _with(event_type="teleport"),
    "invalid_utf8": _latin_1_in("url"),
    "empty": _nothing,
}
_CHECKOUTS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "malformed_json": _cut_off,
    "wrong_type": _with(quantity="a few"),
    "missing_id": _without("checkout_id"),
    "empty_id": _with(checkout_id=""),
    "control_character": _with(session_id="a\x00b"),
    "long_text": _with(shipping_address="1 Any Street, " * 60),
    "dated_1970": _dated_1970,
    "dated_2100": _dated_2100,
    "negative_money": _negative_money,
    "unknown_enum": _with(payment_method="seashells"),
    "invalid_utf8": _latin_1_in("shipping_address"),
    "empty": _nothing,
}
CLICKSTREAM_KINDS = tuple(_CLICKSTREAM)
CHECKOUTS_KINDS = tuple(_CHECKOUTS)
