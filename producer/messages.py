"""The wire format: the fields of each topic's messages, and how they become bytes.

A message is one JSON object in UTF-8; its key is `user_id` as text. The docs and the job rely on
these field names and types. Money has at most 2 decimals, a share at most 4.
"""

from enum import StrEnum
from typing import NamedTuple, TypedDict

import orjson


class ClickstreamEvent(TypedDict):
    """`clickstream`: one action of a visitor; only clicks have `source` and `campaign`."""

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
    """`checkouts`: one attempt to pay for one product; the job computes totals."""

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
    """One event of the shop, before its message is delayed, copied or broken.

    Attributes:
        cause: for a checkout, the click that put the product into the cart. Never sent.
    """

    occurred_at_ms: int
    topic: str
    body: Body
    cause: ClickstreamEvent | None = None


class Fate(StrEnum):
    """What happens to a message on its way to Kafka; each has exactly one."""

    IN_ORDER = "in_order"
    OUT_OF_ORDER = "out_of_order"
    LATE = "late"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


class Message(NamedTuple):
    """One Kafka message, and how to count it.

    Attributes:
        sent_at_ms: event time at which it is sent; never decreases from message to message.
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
