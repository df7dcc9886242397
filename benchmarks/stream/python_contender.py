"""Attribution in plain Python: one process reads Kafka, attributes, and writes with PyIceberg.

This is what a careful engineer writes first: a dictionary of clicks by user and product, checkouts
that wait in a heap until the watermark passes them, and an append for every `ROWS_PER_COMMIT`
answers. It has no checkpoints: if killed, it starts over and writes every row again.

Reads a task from standard input; writes seconds, CPU-seconds and peak memory.
"""

import heapq
import json
import os
import sys
import time
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from pyiceberg.table import Table

from benchmarks.stream.usage import Usage
from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import Settings, load_settings
from flink_jobs.lake_tables import open_catalog

ROWS_PER_COMMIT = 50_000
CENT = Decimal("0.01")
# Fields that a message must have to be accepted, and their types.
CLICK_TYPES = {"event_id": str, "user_id": int, "occurred_at_ms": int}
CHECKOUT_TYPES = {
    "checkout_id": str,
    "user_id": int,
    "product_id": int,
    "payment_status": str,
    "occurred_at_ms": int,
}


class Attribution:
    """State of all users; `answers` are rows ready to write."""

    def __init__(self, lookback_ms: int) -> None:
        self.answers: list[dict[str, Any]] = []
        self._lookback_ms = lookback_ms
        self._clicks: dict[tuple[int, Any], list[tuple[int, str, Any, Any]]] = defaultdict(list)
        self._waiting: list[tuple[int, str, dict[str, Any]]] = []
        self._answered: dict[str, int] = {}

    def click(self, body: dict[str, Any]) -> None:
        """Store a click."""
        key = body["user_id"], body.get("product_id")
        source, campaign = body.get("source"), body.get("campaign")
        self._clicks[key].append((body["occurred_at_ms"], body["event_id"], source, campaign))

    def checkout(self, body: dict[str, Any]) -> None:
        """Store a checkout until the watermark passes it."""
        row = _without_click(body)
        heapq.heappush(self._waiting, (body["occurred_at_ms"], body["checkout_id"], row))

    def advance(self, watermark_ms: float) -> None:
        """Answer the checkouts that the watermark has passed."""
        while self._waiting and self._waiting[0][0] <= watermark_ms:
            at_ms, checkout_id, row = heapq.heappop(self._waiting)
            if at_ms - self._answered.get(checkout_id, -(2**62)) > self._lookback_ms:
                self._answered[checkout_id] = at_ms
                self.answers.append({**row, **self._first_click(at_ms, row)})

    def _first_click(self, at_ms: int, row: dict[str, Any]) -> dict[str, Any]:
        key = row["user_id"], row["product_id"]
        since_ms = at_ms - self._lookback_ms
        recent = [click for click in self._clicks[key] if click[0] >= since_ms]
        self._clicks[key] = recent
        within = (click for click in recent if click[0] <= at_ms)
        first = min(within, key=lambda click: click[:2], default=(None, None, None, None))
        return {
            "click_id": first[1],
            "click_source": first[2],
            "click_campaign": first[3],
            "clicked_at": None if first[0] is None else first[0] * 1000,
        }


def _without_click(body: dict[str, Any]) -> dict[str, Any]:
    goods, shipping, commission = (
        body["quantity"]
        * Decimal(str(body["unit_price_usd"]))
        * (1 - Decimal(str(body["discount_share"]))),
        Decimal(str(body["shipping_usd"])),
        Decimal(str(body["commission_share"])),
    )
    total = _cents(goods + shipping)
    return {
        "checkout_id": body["checkout_id"],
        "user_id": body["user_id"],
        "product_id": body["product_id"],
        "total_usd": total,
        "profit_usd": _cents((total - shipping) * commission),
        "payment_status": body["payment_status"],
        "checked_out_at": body["occurred_at_ms"] * 1000,
    }


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def main() -> None:
    """Read the topics to their end and write all answers."""
    task = json.load(sys.stdin)
    settings = load_settings()
    table = open_catalog(settings, load_secrets(settings)).load_table(task["table"])
    attribution = Attribution(settings.pipeline.attribution.lookback_seconds * 1000)
    bound_ms = settings.pipeline.watermark.out_of_orderness_seconds * 1000
    started = time.monotonic()
    with Usage([os.getpid()]) as usage:
        _answer_all(settings, attribution, bound_ms, table)
    done = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": usage.cpu_seconds,
        "peak_mb": usage.peak_mb,
    }
    json.dump(done, sys.stdout)


def _answer_all(settings: Settings, attribution: Attribution, bound_ms: int, table: Table) -> None:
    topics = settings.pipeline.topics
    newest_ms: dict[tuple[str, int], float] = {}
    client = kafka_client(settings, load_secrets(settings), "admin")
    for topic, partition, value in _read_all(
        client, [topics.clickstream, topics.checkouts], newest_ms
    ):
        is_checkout = topic == topics.checkouts
        try:
            body = _parse(value, CHECKOUT_TYPES if is_checkout else CLICK_TYPES)
            if is_checkout:
                attribution.checkout(body)
            elif body["event_type"] == "click":
                attribution.click(body)
        except (ValueError, TypeError, KeyError, ArithmeticError):
            continue  # malformed
        at = topic, partition
        newest_ms[at] = max(newest_ms[at], body["occurred_at_ms"])
        attribution.advance(min(newest_ms.values()) - bound_ms)
        if len(attribution.answers) >= ROWS_PER_COMMIT:
            _write(table, attribution.answers)
    attribution.advance(float("inf"))
    _write(table, attribution.answers)


def _read_all(
    client: dict[str, str], topics: list[str], newest_ms: dict[tuple[str, int], float]
) -> Any:
    """Yield messages of all partitions as they come, up to the end of the topics at the start."""
    consumer = Consumer({**client, "group.id": f"benchmark-{os.getpid()}"})
    ends = {}
    for topic in topics:
        for number in consumer.list_topics(topic).topics[topic].partitions:
            ends[topic, number] = consumer.get_watermark_offsets(TopicPartition(topic, number))[1]
            newest_ms[topic, number] = float("-inf")
    consumer.assign([TopicPartition(*each, OFFSET_BEGINNING) for each in ends])
    open_ends = {each for each, end in ends.items() if end}
    while open_ends:
        for message in consumer.consume(10_000, 1):
            at = message.topic(), message.partition()
            yield *at, message.value()
            if message.offset() + 1 >= ends[at]:
                open_ends.discard(at)
                newest_ms[at] = float("inf")
    consumer.close()


def _parse(value: bytes, types: dict[str, type]) -> dict[str, Any]:
    """Parse a body and check these fields' types; does not check the whole contract."""
    body = orjson.loads(value)
    if not all(isinstance(body[name], kind) for name, kind in types.items()):
        raise TypeError
    if not 946684800000 <= body["occurred_at_ms"] <= time.time() * 1000 + 60_000:
        raise ValueError
    return dict(body)


def _write(table: Table, answers: list[dict[str, Any]]) -> None:
    table.append(pa.Table.from_pylist(answers, schema=table.schema().as_arrow()))
    answers.clear()


if __name__ == "__main__":
    main()
