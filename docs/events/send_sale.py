"""Sends a click and the checkout that it earns, with the login that `make env` prints."""

import json
import os
import time
import uuid

from confluent_kafka import Producer

now_ms = int(time.time() * 1000)
visit = {"user_id": now_ms, "session_id": str(uuid.uuid4()), "product_id": 7}
click = {
    "event_id": str(uuid.uuid4()),
    "event_type": "click",
    "source": "mail",
    "campaign": "spring",
}
price = {"quantity": 2, "unit_price_usd": 10.5, "discount_share": 0.1, "shipping_usd": 4.9}
payment = {"commission_share": 0.15, "payment_method": "paypal", "payment_status": "succeeded"}
checkout = {"checkout_id": str(uuid.uuid4()), **price, **payment}

login = {
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    "security.protocol": os.environ["KAFKA_SECURITY_PROTOCOL"],
    "sasl.mechanism": os.environ["KAFKA_SASL_MECHANISM"],
    "sasl.username": os.environ["KAFKA_SASL_USERNAME"],
    "sasl.password": os.environ["KAFKA_SASL_PASSWORD"],
}
producer = Producer({**login, "acks": "all"})
for topic, event, at_ms in (("clickstream", click, now_ms - 1000), ("checkouts", checkout, now_ms)):
    body = json.dumps({**visit, **event, "occurred_at_ms": at_ms})
    producer.produce(topic, body, key=str(visit["user_id"]))
print(checkout["checkout_id"] if producer.flush(30) == 0 else "not delivered")  # noqa: T201
