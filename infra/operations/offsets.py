"""Where the job is in Kafka: what each partition has, and what the last checkpoint committed."""

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from configuration.errors import TributaryError
from configuration.settings import Settings
from flink_jobs.cluster import CONSUMER_GROUP

KAFKA_SECONDS = 10


class OffsetsError(TributaryError):
    """Kafka does not answer."""


@dataclass(frozen=True)
class PartitionProgress:
    """One partition: its oldest message, the job's next one, and the one that comes next."""

    topic: str
    partition: int
    begin: int
    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Messages that the last checkpoint did not have yet."""
        return self.end - max(self.begin, self.committed)


def read_progress(settings: Settings) -> list[PartitionProgress]:
    """Every partition of both topics, by topic and number.

    Raises:
        OffsetsError: Kafka does not answer.
    """
    topics, kafka = settings.pipeline.topics, settings.topology.kafka
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.authority,
            "group.id": CONSUMER_GROUP,
            "enable.auto.commit": False,
            "log_level": 0,  # what goes wrong is raised
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
            " `make status` tells whether it runs"
        ) from None
    finally:
        consumer.close()


def _progress(consumer: Consumer, committed: TopicPartition) -> PartitionProgress:
    begin, end = consumer.get_watermark_offsets(committed, KAFKA_SECONDS)
    # Negative where the group has committed nothing yet.
    return PartitionProgress(
        committed.topic, committed.partition, begin, max(committed.offset, 0), end
    )
