"""A Kafka client for tests: sends messages to chosen partitions, reads whole topics.

Delivery: `send` returns once the broker has every message, in order and once each (idempotent
producer). `read_all` returns every committed message that the topics hold at the time of the call.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, Producer
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import TopicPartition as KafkaPartition

from reference.oracle import Message, Position

REQUEST_SECONDS = 30
BATCH = 10_000


class Outgoing(NamedTuple):
    """A message to send, and the partition to send it to."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Kafka:
    """Sends messages to the broker, and reads all messages of topics."""

    def __init__(self, client: Mapping[str, str]) -> None:
        self._client = client

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Send the messages in order, and wait until the broker has all of them."""
        errors: list[str] = []
        producer = Producer(
            {
                **self._client,
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        for message in messages:
            producer.produce(
                message.topic,
                message.value,
                message.key,
                message.partition,
                on_delivery=lambda error, _: errors.append(str(error)) if error else None,
            )
            producer.poll(0)
        unsent = producer.flush(REQUEST_SECONDS)
        assert (unsent, errors) == (0, [])

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Offset of each partition's next message, or of its first open transaction."""
        consumer = Consumer({**self._client, "group.id": "tests"})
        try:
            return {
                (topic, partition): consumer.get_watermark_offsets(
                    KafkaPartition(topic, partition)
                )[1]
                for topic in topics
                for partition in consumer.list_topics(topic).topics[topic].partitions
            }
        finally:
            consumer.close()

    def read_all(
        self, topics: Iterable[str], since: Mapping[tuple[str, int], int] | None = None
    ) -> list[Message]:
        """Every committed message that the topics hold now, from the offsets `since` on."""
        begin = since or {}
        wanted = {
            each: (begin.get(each, 0), end)
            for each, end in self.ends(topics).items()
            if end > begin.get(each, 0)
        }
        messages: list[Message] = []
        unread = set(wanted)
        consumer = Consumer(
            {
                **self._client,
                "group.id": "tests",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        try:
            consumer.assign([KafkaPartition(*each, start) for each, (start, _) in wanted.items()])
            while unread:
                # It waits for as many as it is asked for, and the end of a partition counts as one.
                first = consumer.consume(1, REQUEST_SECONDS)
                assert first, f"Kafka gave {len(messages)} messages; not yet all of {unread}"
                for each in (*first, *consumer.consume(BATCH, 0)):
                    at = (each.topic(), each.partition())
                    if each.error() and each.error().code() == KafkaError._PARTITION_EOF:
                        unread.discard(at)
                    elif each.error() or each.offset() < wanted[at][1]:
                        messages.append(_read(each))
                    else:
                        unread.discard(at)
            return messages
        finally:
            consumer.close()


def _read(message: KafkaMessage) -> Message:
    assert message.error() is None, message.error()
    kind, appended_at_ms = message.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME, "validity depends on the broker's clock"
    position = Position(message.topic(), message.partition(), message.offset())
    return Message(position, message.key(), message.value(), appended_at_ms)
