"""The wire format: what each topic's messages hold, and how they become bytes.

JSON, UTF-8, one object a message, key = `user_id` as text. Field names and types are the
contract of docs and job; money has at most 2 decimals, shares at most 4.
"""

from enum import StrEnum
from typing import NamedTuple, TypedDict

import orjson


class ClickstreamEvent(TypedDict):
    """`clickstream`: one thing that a visitor did; `source` and `campaign` for clicks only."""

    event_id: str
    event_type: str
    user_id: int
    session_id: str
    product_id: int | None
    source: str | None
    campaign: str | None
    url: str
    device: str
    user_agent: str
    ip_address: str
    latitude: float
    longitude: float
    occurred_at_ms: int


class Checkout(TypedDict):
    """`checkouts`: one attempt to pay for one product; totals are never sent."""

    checkout_id: str
    user_id: int
    session_id: str
    product_id: int
    quantity: int
    unit_price_usd: float
    discount_share: float
    shipping_usd: float
    commission_share: float
    payment_method: str
    payment_status: str
    failure_reason: str | None
    shipping_address: str
    billing_address: str
    user_agent: str
    ip_address: str
    occurred_at_ms: int


Body = ClickstreamEvent | Checkout


class Draft(NamedTuple):
    """Something that happened in the shop, before anything happened to its message.

    Attributes:
        cause: of a checkout, the click that put the product into the cart; no message tells it.
    """

    occurred_at_ms: int
    topic: str
    body: Body
    cause: ClickstreamEvent | None = None


class Fate(StrEnum):
    """What becomes of a message on its way; exactly one each."""

    IN_ORDER = "in_order"
    OUT_OF_ORDER = "out_of_order"
    LATE = "late"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


class Message(NamedTuple):
    """One Kafka message, and what it is to be counted as.

    Attributes:
        sent_at_ms: event time at which it leaves; never goes back from message to message.
        malformed_kind: how the body is broken, "" if it is not.
    """

    sent_at_ms: int
    topic: str
    key: bytes
    value: bytes
    fate: Fate
    malformed_kind: str


def encode_body(body: Body) -> bytes:
    """The message's value."""
    return orjson.dumps(body)


def encode_key(body: Body) -> bytes:
    """The message's key, so that all of a user's messages of a topic share a partition."""
    return b"%d" % body["user_id"]
