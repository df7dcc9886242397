"""What the lake must hold for given Kafka messages: a second implementation of the design.

Messages in, the rows of `raw.*` and `attribution.attributed_checkouts` out. It is plain Python,
shares no code with the job, and is slow but easy to check by eye. Which messages are late depends
on the order in which the job read the partitions, so the late ones are an input (the rows of
`raw.*` with `is_late`). `find_late` gives the most that may be late.
"""

import json
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from configuration.settings import Attribution, Contract, Topics

YEAR_2000_MS = 946_684_800_000
CENT = Decimal("0.01")
WHOLE_MESSAGE = "message"
# So much of a message that is too large stays in the lake.
KEPT_BYTES = 1_000


class Position(NamedTuple):
    """A message's place in Kafka; unique."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Message:
    """One Kafka message; `appended_at_ms` is the broker's time (LogAppendTime)."""

    position: Position
    key: bytes | None
    value: bytes | None
    appended_at_ms: int


@dataclass(frozen=True)
class Valid:
    """A message that meets the contract, with the values of all of its topic's fields.

    `appended_at_ms` is the broker's time, as in `Message`.
    """

    position: Position
    fields: Mapping[str, Any]
    appended_at_ms: int

    @property
    def occurred_at_ms(self) -> int:
        """Event time, epoch milliseconds."""
        return int(self.fields["occurred_at_ms"])


@dataclass(frozen=True)
class Malformed:
    """A message for the quarantine; the job's reason may name any one of `faults`."""

    message: Message
    faults: frozenset[str]

    @property
    def position(self) -> Position:
        """The message's place in Kafka."""
        return self.message.position


class Touchpoint(NamedTuple):
    """A click within a checkout's lookback."""

    click_id: str
    product_id: int | None
    source: str | None
    campaign: str | None
    clicked_at_ms: int


class AttributedCheckout(NamedTuple):
    """One row of `attribution.attributed_checkouts`, without its processing time.

    `other_attempt_at_ms` is that of a job which answers in the order of event time.
    """

    checkout_id: str
    user_id: int
    product_id: int
    quantity: int
    total_usd: Decimal
    profit_usd: Decimal
    payment_method: str
    payment_status: str
    failure_reason: str | None
    checked_out_at_ms: int
    touchpoints: tuple[Touchpoint, ...]
    touchpoint_count: int
    click: Touchpoint | None
    other_attempt_at_ms: int | None = None


# --- Validity -----------------------------------------------------------------------------


class _JsonObject(dict[str, Any]):
    """An object that remembers which keys occurred more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.repeated = {name for name, count in counts.items() if count > 1}


def judge(message: Message, topics: Topics, contract: Contract) -> Valid | Malformed:
    """Decide whether a message meets its topic's contract; "now" is the broker's append time."""
    rules = (_click_rules if message.position.topic == topics.clickstream else _checkout_rules)(
        contract, message.appended_at_ms
    )
    if len(message.value or b"") > topics.max_message_bytes:
        beginning = (message.value or b"")[:KEPT_BYTES]
        return Malformed(replace(message, value=beginning), frozenset({WHOLE_MESSAGE}))
    try:
        fields = _parse_object(message.value)
    except (ValueError, RecursionError):
        return Malformed(message, frozenset({WHOLE_MESSAGE}))
    faults = {name for name, keeps in rules.items() if not keeps(fields.get(name))}
    faults |= fields.repeated & rules.keys()
    if not faults and "quantity" in rules and not _fits_money(total_usd(fields)):
        faults = {"total_usd"}
    if faults:
        return Malformed(message, frozenset(faults))
    values = {name: _value(name, fields.get(name)) for name in rules}
    return Valid(message.position, values, message.appended_at_ms)


def _value(name: str, value: Any) -> Any:
    """The value as its column stores it: degrees are doubles, all other numbers are exact."""
    is_double = name in ("latitude", "longitude") and value is not None
    return float(value) if is_double else value


def _parse_object(body: bytes | None) -> _JsonObject:
    value = json.loads(
        (body or b"").decode("utf-8"),
        parse_float=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=_JsonObject,
    )
    if not isinstance(value, _JsonObject):
        raise ValueError("not an object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


Rule = Callable[[Any], bool]


def _click_rules(contract: Contract, now_ms: int) -> dict[str, Rule]:
    return {
        "event_id": _is_id,
        "event_type": lambda value: value in contract.event_types,
        "user_id": _is_integer(64),
        "session_id": _is_id,
        "product_id": _or_null(_is_integer(64)),
        "source": _or_null(_is_label),
        "campaign": _or_null(_is_label),
        "url": _or_null(_is_text(2048)),
        "device": _or_null(_is_text(256)),
        "user_agent": _or_null(_is_text(512)),
        "ip_address": _or_null(_is_text(256)),
        "latitude": _or_null(_is_degrees(90)),
        "longitude": _or_null(_is_degrees(180)),
        "occurred_at_ms": _is_time(contract, now_ms),
    }


def _checkout_rules(contract: Contract, now_ms: int) -> dict[str, Rule]:
    return {
        "checkout_id": _is_id,
        "user_id": _is_integer(64),
        "session_id": _is_id,
        "product_id": _is_integer(64),
        "quantity": lambda value: _is_integer(32)(value) and value >= 1,
        "unit_price_usd": _is_money,
        "discount_share": _is_share,
        "shipping_usd": _is_money,
        "commission_share": _is_share,
        "payment_method": lambda value: value in contract.payment_methods,
        "payment_status": lambda value: value in contract.payment_statuses,
        "failure_reason": _or_null(_is_text(256)),
        "shipping_address": _or_null(_is_text(512)),
        "billing_address": _or_null(_is_text(512)),
        "user_agent": _or_null(_is_text(512)),
        "ip_address": _or_null(_is_text(256)),
        "occurred_at_ms": _is_time(contract, now_ms),
    }


def _is_text(limit: int) -> Rule:
    """At most `limit` characters; an unpaired surrogate is none."""
    return lambda value: (
        isinstance(value, str)
        and len(value) <= limit
        and not any("\ud800" <= char <= "\udfff" for char in value)
    )


def _is_label(value: Any) -> bool:
    """Text that can be a key: no control characters, and no white space at its ends."""
    if not _is_text(128)(value):
        return False
    kinds = [unicodedata.category(char) for char in value]
    return not {"Cc", "Zl", "Zp"} & set(kinds) and "Zs" not in (*kinds[:1], *kinds[-1:])


def _is_id(value: Any) -> bool:
    return value != "" and _is_label(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_degrees(limit: int) -> Rule:
    return lambda value: _is_number(value) and abs(float(str(value))) <= limit


def _is_integer(bits: int) -> Rule:
    limit = 2 ** (bits - 1)
    return lambda value: type(value) is int and -limit <= value < limit


def _is_decimal(value: Decimal | int, scale: int) -> bool:
    """Whether it has at most `scale` fraction digits, not counting trailing zeros."""
    return bool((Fraction(value) * 10**scale).denominator == 1)


def _is_money(value: Any) -> bool:
    return _is_number(value) and value >= 0 and _fits_money(value) and _is_decimal(value, 2)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1 and _is_decimal(value, 4)


def _is_time(contract: Contract, now_ms: int) -> Rule:
    latest_ms = now_ms + contract.max_future_seconds * 1000
    return lambda value: _is_integer(64)(value) and YEAR_2000_MS <= value <= latest_ms


def _or_null(rule: Rule) -> Rule:
    return lambda value: value is None or rule(value)


# --- Money --------------------------------------------------------------------------------


def total_usd(fields: Mapping[str, Any]) -> Decimal:
    """Amount the customer paid, rounded half-up to cents."""
    goods = fields["quantity"] * Decimal(fields["unit_price_usd"])
    return _to_cents(goods * (1 - Decimal(fields["discount_share"])) + fields["shipping_usd"])


def profit_usd(fields: Mapping[str, Any]) -> Decimal:
    """Our commission on the total without shipping, rounded half-up to cents."""
    return _to_cents((total_usd(fields) - fields["shipping_usd"]) * fields["commission_share"])


def _to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _fits_money(amount: Decimal | int) -> bool:
    """Whether it fits decimal(12, 2)."""
    return amount < 10**10


# --- Lateness -----------------------------------------------------------------------------


def find_late(rows: Iterable[Valid], out_of_orderness_seconds: int) -> set[Position]:
    """Which rows are at or behind their own partition's watermark when read.

    A partition's watermark is the newest event time read from it before, minus the bound; a time
    ahead of the broker's clock counts as the clock's. The job's watermark is the minimum over all
    partitions that are not idle. So no other row may be late; if one partition has all messages,
    exactly these are.
    """
    watermarks_ms: dict[tuple[str, int], int] = {}
    late = set()
    for row in sorted(rows, key=lambda row: row.position):
        topic, partition, _ = row.position
        watermark_ms = watermarks_ms.get((topic, partition), -math.inf)
        if row.occurred_at_ms <= watermark_ms:
            late.add(row.position)
        time_ms = min(row.occurred_at_ms, row.appended_at_ms)
        moved_ms = time_ms - out_of_orderness_seconds * 1000
        watermarks_ms[topic, partition] = int(max(watermark_ms, moved_ms))
    return late


# --- Attribution --------------------------------------------------------------------------


def attribute(
    rows: Collection[Valid], late: Collection[Position], topics: Topics, rules: Attribution
) -> list[AttributedCheckout]:
    """Every on-time attempt to pay for a line of a checkout, with the clicks that lead to it.

    A line is a user's `checkout_id` and `product_id`. Its attempts differ in event time; of copies
    of an attempt the first one in Kafka counts. An event with an unknown id is joined with none.
    """
    clicks: dict[int, list[Touchpoint]] = defaultdict(list)
    lines: dict[tuple[int, str, int], list[Valid]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.position):
        if row.position in late:
            continue
        if row.position.topic == topics.checkouts:
            lines[line_of(row)].append(row)
        elif (
            row.fields["event_type"] == "click"
            and row.fields["user_id"] not in rules.unknown_user_ids
            and row.fields["event_id"] not in rules.unknown_ids
        ):
            clicks[row.fields["user_id"]].append(_touchpoint(row))
    return [
        _attribute_one(attempt, previous, clicks[user_id], rules)
        for (user_id, _, _), messages in lines.items()
        for attempt, previous in _pair_with_previous(_drop_copies(messages))
    ]


def line_of(checkout: Valid) -> tuple[int, str, int]:
    """The line that a message of the topic checkouts is about: user, checkout and product."""
    fields = checkout.fields
    return fields["user_id"], fields["checkout_id"], fields["product_id"]


def counted_attempts(messages: Iterable[Valid], rules: Attribution) -> list[Valid]:
    """The attempts at one line that count: no other attempt follows within the lookback.

    If the id is unknown, all of them count.
    """
    attempts = _drop_copies(messages)
    following = [*attempts[1:], None]
    return [
        attempt
        for attempt, following_one in zip(attempts, following, strict=True)
        if not _is_joined_with(attempt, following_one, rules)
    ]


def _touchpoint(click: Valid) -> Touchpoint:
    return Touchpoint(
        click.fields["event_id"],
        click.fields["product_id"],
        click.fields["source"],
        click.fields["campaign"],
        click.occurred_at_ms,
    )


def _drop_copies(messages: Iterable[Valid]) -> list[Valid]:
    """The attempts at one line in order of event time, each by its first message."""
    attempts: dict[int, Valid] = {}
    for message in messages:
        attempts.setdefault(message.occurred_at_ms, message)
    return [attempts[at_ms] for at_ms in sorted(attempts)]


def _pair_with_previous(attempts: list[Valid]) -> Iterable[tuple[Valid, Valid | None]]:
    return zip(attempts, [None, *attempts[:-1]], strict=True)


def _is_joined_with(one: Valid, other: Valid | None, rules: Attribution) -> bool:
    return (
        other is not None
        and _has_a_known_id(one, rules)
        and abs(one.occurred_at_ms - other.occurred_at_ms) <= rules.lookback_seconds * 1000
    )


def _has_a_known_id(checkout: Valid, rules: Attribution) -> bool:
    return checkout.fields["checkout_id"] not in rules.unknown_ids


def _attribute_one(
    checkout: Valid, previous: Valid | None, clicks: list[Touchpoint], rules: Attribution
) -> AttributedCheckout:
    fields = checkout.fields
    until_ms = checkout.occurred_at_ms
    since_ms = until_ms - rules.lookback_seconds * 1000
    joined = clicks if _has_a_known_id(checkout, rules) else []
    path = _order([click for click in joined if since_ms <= click.clicked_at_ms <= until_ms])
    own = [click for click in path if click.product_id == fields["product_id"]]
    return AttributedCheckout(
        checkout_id=fields["checkout_id"],
        user_id=fields["user_id"],
        product_id=fields["product_id"],
        quantity=fields["quantity"],
        total_usd=total_usd(fields),
        profit_usd=profit_usd(fields),
        payment_method=fields["payment_method"],
        payment_status=fields["payment_status"],
        failure_reason=fields["failure_reason"],
        checked_out_at_ms=until_ms,
        touchpoints=_cap(path, rules.max_touchpoints),
        touchpoint_count=len(path),
        click=own[0] if own else None,
        other_attempt_at_ms=previous.occurred_at_ms
        if previous and _is_joined_with(checkout, previous, rules)
        else None,
    )


def _order(clicks: Iterable[Touchpoint]) -> list[Touchpoint]:
    """Sort by time, then id; of a click that was sent twice, keep the earliest."""
    path: dict[str, Touchpoint] = {}
    for click in sorted(clicks, key=lambda click: (click.clicked_at_ms, click.click_id)):
        path.setdefault(click.click_id, click)
    return list(path.values())


def _cap(path: list[Touchpoint], limit: int) -> tuple[Touchpoint, ...]:
    """Keep `limit` clicks: the first half of them, rounded up, and the latest ones."""
    if len(path) <= limit:
        return tuple(path)
    latest = limit // 2
    return tuple(path[: limit - latest] + path[-latest:])
