"""The limit for a message holds for what a reader has to keep, not for what is sent."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse

SECONDS = 30
CODECS = ("gzip", "lz4", "snappy", "zstd")


def send(lakehouse: RunningLakehouse, codec: str, sizes: list[int]) -> list[KafkaError | None]:
    """Send zeros as one batch; return the broker's answers. The client itself has no limit."""
    answers: list[KafkaError | None] = []
    producer = Producer(
        {
            **lakehouse.kafka_client("sender"),
            "compression.type": codec,
            "linger.ms": 200,
            "batch.size": 100_000_000,
            "message.max.bytes": 100_000_000,
        }
    )
    for size in sizes:
        producer.produce(
            lakehouse.settings.pipeline.topics.clickstream,
            bytes(size),
            partition=0,
            on_delivery=lambda error, _: answers.append(error),
        )
    assert producer.flush(SECONDS) == 0
    return answers


@pytest.mark.parametrize("codec", CODECS)
def test_broker_refuses_a_message_that_is_too_large_once_decompressed(
    lakehouse: RunningLakehouse, codec: str
) -> None:
    limit = lakehouse.settings.pipeline.topics.max_message_bytes
    [error] = send(lakehouse, codec, [8 * limit])
    assert error is not None
    assert error.code() == KafkaError.INVALID_RECORD


def test_large_message_from_before_the_limit_is_quarantined(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    """As after an upgrade from a broker that counted compressed bytes only."""
    topic, limit = lake.topics.clickstream, lake.topics.max_message_bytes
    with allowing(lakehouse, topic, 16 * limit):
        assert send(lakehouse, "gzip", [8 * limit]) == [None]
    lake.close()
    snapshot = lake.read()
    snapshot.check()
    [reason] = [row.reason for row in snapshot.quarantine.values()]
    assert reason == f"message: larger than {limit} bytes"


@contextmanager
def allowing(lakehouse: RunningLakehouse, topic: str, limit: int) -> Iterator[None]:
    """Let the topic take larger messages for a while."""
    admin = AdminClient(lakehouse.kafka_client("admin"))

    def change(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(
            "max.decompressed.message.bytes", str(limit), incremental_operation=operation
        )
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        [changed] = admin.incremental_alter_configs([resource]).values()
        changed.result(SECONDS)

    change(AlterConfigOpType.SET)
    try:
        yield
    finally:
        change(AlterConfigOpType.DELETE)


@pytest.mark.parametrize("codec", CODECS)
def test_broker_takes_a_batch_whose_messages_are_too_large_only_together(
    lakehouse: RunningLakehouse, codec: str
) -> None:
    limit = lakehouse.settings.pipeline.topics.max_message_bytes
    assert send(lakehouse, codec, [limit // 4] * 8) == [None] * 8
