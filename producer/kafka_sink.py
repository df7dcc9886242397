"""Send messages to Kafka, each to its partition once and in order (idempotent, acks=all).

Guarantee: during the life of this process, an accepted message is either delivered exactly once,
in the order of sending per user and topic, or counted in `errors`. `close` delivers what is still
held. A killed process loses it.
"""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Report

from configuration.errors import TributaryError
from producer.messages import Message

# Takes librdkafka's own log lines and drops them; add a handler to see them.
LOGGER = logging.getLogger(__name__)
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False

CONNECT_SECONDS = 15
FLUSH_SECONDS = 30
CONFIGURATION = {
    "enable.idempotence": True,
    "acks": "all",
    # The partitioner of Java's clients, so that every producer puts a user in the same partition.
    "partitioner": "murmur2_random",
    # Latency that batching may add; the tables are committed seconds later anyway.
    "linger.ms": 20,
    # At the default rate a batch holds one message, which does not compress; and Flink's Kafka
    # connector includes neither lz4 nor zstd.
    "compression.type": "none",
    # Limits memory: 1 s at 50,000 messages/s, each 460 bytes plus as much for the client.
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
    "delivery.report.only.error": True,
    "client.id": "tributary-producer",
}


class KafkaSinkError(TributaryError):
    """Kafka is unreachable, lacks a topic, or permanently refuses this producer."""


class KafkaSink:
    """Sends messages to the given topics.

    Args:
        client: address and login (configuration/kafka_client.py).
        topics: the topics that must exist.
        connect_seconds: how long to wait for the broker's first answer.

    Raises:
        KafkaSinkError: no broker answers within `connect_seconds`, or a topic is missing.
    """

    def __init__(
        self,
        client: Mapping[str, str],
        topics: Collection[str],
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self.errors: Counter[str] = Counter()
        self._client = Producer(
            {
                **CONFIGURATION,
                **client,
                "on_delivery": self._count_error,
            },
            logger=LOGGER,
        )
        self._require(client["bootstrap.servers"], topics, connect_seconds)

    def offer(self, message: Message) -> bool:
        """Accept one message; false if the client's queue is full: call `serve` and try again.

        Raises:
            KafkaSinkError: the broker permanently refuses this producer.
        """
        try:
            self._client.produce(message.topic, message.value, message.key)
        except BufferError:
            return False
        except KafkaException as error:
            raise KafkaSinkError(
                f"Kafka refused a message for topic {message.topic}: {_reason(error)};"
                " read the broker's log, then restart the producer"
            ) from None
        return True

    def serve(self, seconds: float) -> None:
        """Count delivery errors; wait at most `seconds` for the first one."""
        self._client.poll(seconds)

    def close(self, flush_seconds: float = FLUSH_SECONDS) -> None:
        """Deliver what was accepted; count in `errors` what can't be delivered in time."""
        undelivered = self._client.flush(flush_seconds)
        if undelivered:
            self.errors["not delivered before the end"] += undelivered

    def _require(self, servers: str, topics: Collection[str], seconds: float) -> None:
        try:
            metadata = self._client.list_topics(timeout=seconds)
        except KafkaException as error:
            raise KafkaSinkError(
                f"Kafka at {servers} does not answer within {seconds:g} s"
                f" ({_reason(error)}); start it with `make run`, or correct kafka.host and"
                " kafka.port in the topology's file"
            ) from None
        missing = sorted(set(topics) - set(metadata.topics))
        if missing:
            raise KafkaSinkError(
                f"Kafka at {servers} has no topic {', '.join(missing)}; `make run` creates it"
            )

    def _count_error(self, error: KafkaError | None, _: Report) -> None:
        if error is not None:
            self.errors[error.name()] += 1


def _reason(error: KafkaException) -> Any:
    return error.args[0].str()
