"""The limit for a message holds for what a reader has to keep, not for what is sent."""

import pytest
from confluent_kafka import KafkaError, Producer

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


@pytest.mark.parametrize("codec", CODECS)
def test_broker_takes_a_batch_whose_messages_are_too_large_only_together(
    lakehouse: RunningLakehouse, codec: str
) -> None:
    limit = lakehouse.settings.pipeline.topics.max_message_bytes
    assert send(lakehouse, codec, [limit // 4] * 8) == [None] * 8
