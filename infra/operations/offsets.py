"""Offsets in Kafka: how far the job has read each partition, and which offsets have a message."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from configuration.errors import TributaryError
from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import Settings
from flink_jobs.cluster import CONSUMER_GROUP

KAFKA_SECONDS = 10
# Reading so many more messages is faster than a request of its own for the next gap.
NEAR_OFFSETS = 10_000


class OffsetsError(TributaryError):
    """Kafka does not answer."""


@dataclass(frozen=True)
class PartitionProgress:
    """One partition's offsets.

    - `begin`: the oldest message that Kafka has;
    - `committed`: the next message to read, as of the job's last checkpoint; 0 before the first;
    - `end`: the next message that will be written, or the first one of an open transaction.
    """

    topic: str
    partition: int
    begin: int
    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Number of messages after the last checkpoint."""
        return self.end - max(self.begin, self.committed)


def read_progress(settings: Settings) -> list[PartitionProgress]:
    """Read the progress of every partition of both event topics, sorted by topic and number.

    Raises:
        OffsetsError: Kafka does not answer.
    """
    topics = settings.pipeline.topics
    with _open_consumer(settings) as consumer:
        partitions = [
            TopicPartition(topic, number)
            for topic in (topics.clickstream, topics.checkouts)
            for number in sorted(
                consumer.list_topics(topic, KAFKA_SECONDS).topics[topic].partitions
            )
        ]
        committed = consumer.committed(partitions, KAFKA_SECONDS)
        return [_progress(consumer, each) for each in committed]


def read_offsets(
    settings: Settings, topic: str, partition: int, gaps: Iterable[range]
) -> Iterator[int]:
    """Yield the offsets of all committed messages in the gaps, ascending; some are beside them.

    Raises:
        OffsetsError: Kafka does not answer.
    """
    with _open_consumer(settings) as consumer:
        for span in _span(gaps):
            consumer.assign([TopicPartition(topic, partition, span.start)])
            for offset in iter(partial(_next_offset, consumer), None):
                if offset >= span.stop:
                    break
                yield offset


def _span(gaps: Iterable[range]) -> list[range]:
    """Join gaps that are near to each other."""
    spans: list[range] = []
    for gap in gaps:
        if spans and gap.start - spans[-1].stop <= NEAR_OFFSETS:
            spans[-1] = range(spans[-1].start, gap.stop)
        else:
            spans.append(gap)
    return spans


def _next_offset(consumer: Consumer) -> int | None:
    """Return the next message's offset, or None at the end of the partition."""
    message = consumer.poll(KAFKA_SECONDS)
    if message is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    error = message.error()
    if error is None:
        return int(message.offset())
    if error.code() == KafkaError._PARTITION_EOF:
        return None
    raise KafkaException(error)


@contextmanager
def _open_consumer(settings: Settings) -> Iterator[Consumer]:
    """Open a consumer of committed messages; its errors become an OffsetsError."""
    consumer = Consumer(
        {
            **kafka_client(settings, load_secrets(settings), "cli"),
            "group.id": CONSUMER_GROUP,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 16_384,
            "log_level": 0,  # errors are raised
        }
    )
    try:
        yield consumer
    except KafkaException as error:
        raise OffsetsError(
            f"Kafka at {settings.topology.kafka.authority} does not answer:"
            f" {error.args[0].str()}; `make status` shows whether it is running"
        ) from None
    finally:
        consumer.close()


def _progress(consumer: Consumer, committed: TopicPartition) -> PartitionProgress:
    begin, end = consumer.get_watermark_offsets(committed, KAFKA_SECONDS)
    # The offset is negative if the group has not committed yet.
    return PartitionProgress(
        committed.topic, committed.partition, begin, max(committed.offset, 0), end
    )
