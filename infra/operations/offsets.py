"""The job's progress in Kafka: each partition's offsets, and those that the job committed."""

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from configuration.errors import TributaryError
from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import Settings
from flink_jobs.cluster import CONSUMER_GROUP

KAFKA_SECONDS = 10


class OffsetsError(TributaryError):
    """Kafka does not answer."""


@dataclass(frozen=True)
class PartitionProgress:
    """One partition's offsets.

    - `begin`: the oldest message that Kafka has;
    - `committed`: the next message to read, as of the job's last checkpoint; 0 before the first;
    - `end`: the next message that will be written.
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
    topics, kafka = settings.pipeline.topics, settings.topology.kafka
    consumer = Consumer(
        {
            **kafka_client(settings, load_secrets(settings), "cli"),
            "group.id": CONSUMER_GROUP,
            "enable.auto.commit": False,
            "log_level": 0,  # errors are raised
        }
    )
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in (topics.clickstream, topics.checkouts)
            for number in sorted(
                consumer.list_topics(topic, KAFKA_SECONDS).topics[topic].partitions
            )
        ]
        committed = consumer.committed(partitions, KAFKA_SECONDS)
        return [_progress(consumer, each) for each in committed]
    except KafkaException as error:
        raise OffsetsError(
            f"Kafka at {kafka.authority} does not answer: {error.args[0].str()};"
            " `make status` shows whether it is running"
        ) from None
    finally:
        consumer.close()


def _progress(consumer: Consumer, committed: TopicPartition) -> PartitionProgress:
    begin, end = consumer.get_watermark_offsets(committed, KAFKA_SECONDS)
    # The offset is negative if the group has not committed yet.
    return PartitionProgress(
        committed.topic, committed.partition, begin, max(committed.offset, 0), end
    )
