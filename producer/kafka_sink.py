"""Kafka's side: messages in, each on its partition once and in order (idempotent, acks=all).

Guarantee: a message that was taken is delivered exactly once within this process's life, in
the order of sending per user and topic, or it is counted in `errors`. What a killed process
still held is lost; a clean stop (`close`) delivers it first.
"""

import logging
from collections import Counter
from collections.abc import Collection
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Report

from configuration.errors import TributaryError
from producer.messages import Message

# librdkafka's own log lines; whoever wants them gives this logger a handler.
LOGGER = logging.getLogger(__name__)
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False

CONNECT_SECONDS = 15
FLUSH_SECONDS = 30
CONFIGURATION = {
    "enable.idempotence": True,
    "acks": "all",
    # What Java's clients use: everybody's messages of a user meet in one partition.
    "partitioner": "murmur2_random",
    # What batching may cost in latency; the tables are committed seconds later anyway.
    "linger.ms": 20,
    # At the default rate a batch holds one message, which nothing compresses; and Flink's
    # Kafka connector brings neither lz4 nor zstd.
    "compression.type": "none",
    # Bounds memory: 1 s of 50,000 messages, each 460 bytes and as much again for the client.
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
    "delivery.report.only.error": True,
    "client.id": "tributary-producer",
}


class KafkaSinkError(TributaryError):
    """Kafka can't be reached, lacks a topic, or refuses this producer for good."""


class KafkaSink:
    """A producer of messages for some topics.

    Raises:
        KafkaSinkError: no broker answers within `connect_seconds`, or a topic is missing.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Collection[str],
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self.errors: Counter[str] = Counter()
        self._client = Producer(
            {
                **CONFIGURATION,
                "bootstrap.servers": bootstrap_servers,
                "on_delivery": self._count_error,
            },
            logger=LOGGER,
        )
        self._require(bootstrap_servers, topics, connect_seconds)

    def offer(self, message: Message) -> bool:
        """Hand over one message; false if the client is full: `serve` and try again.

        Raises:
            KafkaSinkError: the broker refuses this producer for good.
        """
        try:
            self._client.produce(message.topic, message.value, message.key)
        except BufferError:
            return False
        except KafkaException as error:
            raise KafkaSinkError(
                f"Kafka took no message for topic {message.topic}: {_reason(error)};"
                " see the broker's log, then start the producer again"
            ) from None
        return True

    def serve(self, seconds: float) -> None:
        """Count delivery errors, waiting for the first one that long at most."""
        self._client.poll(seconds)

    def close(self, flush_seconds: float = FLUSH_SECONDS) -> None:
        """Deliver what was taken; what can't be delivered in time is counted in `errors`."""
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
