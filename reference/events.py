"""Valid events of both topics; a test changes the fields it is about."""

import json
from typing import Any

Event = dict[str, Any]


def make_click(click_id: str, user_id: int, occurred_at_ms: int, **changes: Any) -> Event:
    """A click of the clickstream; pass `event_type=...` for other types."""
    return {
        "event_id": click_id,
        "event_type": "click",
        "user_id": user_id,
        "session_id": f"session-of-{user_id}",
        "product_id": 1,
        "source": "search",
        "campaign": "spring",
        "url": "/products/1",
        "device": "phone",
        "user_agent": "test",
        "ip_address": "192.0.2.1",
        "latitude": 52.5,
        "longitude": 13.4,
        "occurred_at_ms": occurred_at_ms,
    } | changes


def make_checkout(checkout_id: str, user_id: int, occurred_at_ms: int, **changes: Any) -> Event:
    """A checkout with a successful payment: 3 x 19.99, 10 % discount, 4.50 shipping."""
    return {
        "checkout_id": checkout_id,
        "user_id": user_id,
        "session_id": f"session-of-{user_id}",
        "product_id": 1,
        "quantity": 3,
        "unit_price_usd": 19.99,
        "discount_share": 0.1,
        "shipping_usd": 4.5,
        "commission_share": 0.15,
        "payment_method": "paypal",
        "payment_status": "succeeded",
        "failure_reason": None,
        "shipping_address": "1 Any Street",
        "billing_address": "1 Any Street",
        "user_agent": "test",
        "ip_address": "192.0.2.1",
        "occurred_at_ms": occurred_at_ms,
    } | changes


def encode(event: Event) -> bytes:
    """Encode an event as it is sent."""
    return json.dumps(event, separators=(",", ":")).encode()
