"""Kafka: one broker, which is also the controller, and all topics."""

import uuid
from concurrent.futures import Future
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from configuration import REPOSITORY
from configuration.settings import LOOPBACK
from configuration.templates import render
from infra.services.connect import SHOP_TABLES
from infra.services.model import (
    SMALL_JVM,
    FirstRun,
    Lakehouse,
    Service,
    SetupStep,
    archive_options,
    find_archive,
)
from infra.services.probes import KafkaProbe

TOPIC_SECONDS = 30
LOG_WARNING = 4  # a syslog level, as librdkafka uses them
HOUR_MS = 3_600_000


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the broker, which is also the controller."""
    address = lakehouse.settings.topology.kafka
    data = lakehouse.data / "kafka"
    file = lakehouse.configuration / "kafka.properties"
    java: list[str | Path] = [
        lakehouse.parts.java(25) / "bin/java",
        "-cp",
        f"{lakehouse.parts.root}/kafka/*",
    ]
    logging = REPOSITORY / "infra/kafka/log4j2.properties"
    archive = find_archive(lakehouse, "kafka", 25, "kafka")
    return Service(
        name="kafka",
        command=[
            *java,
            f"-Xmx{address.heap_mb}m",
            *SMALL_JVM,
            *archive_options(archive),
            f"-Dlog4j2.configurationFile={logging}",
            "kafka.Kafka",
            file,
        ],
        environment={},
        files={file: _kafka_properties(lakehouse, data)},
        first_run=FirstRun(
            command=[
                *java,
                "kafka.tools.StorageTool",
                "format",
                "--standalone",
                "-t",
                str(uuid.uuid4()),
                "-c",
                file,
            ],
            leaves=data / "meta.properties",
        ),
        probe=KafkaProbe(address.authority),
        archive=archive,
        ports=("kafka.port", "kafka.controller_port"),
        stop_seconds=60,
    )


def _kafka_properties(lakehouse: Lakehouse, data: Path) -> str:
    """Render server.properties; add the listener PUBLISHED if Compose publishes the port."""
    address = lakehouse.settings.topology.kafka
    published = lakehouse.settings.published.kafka
    names = {"CLIENTS": address} | ({"PUBLISHED": published} if published != address else {})
    return render(
        REPOSITORY / "infra/kafka/server.properties",
        {
            "listeners": ",".join(
                f"{name}://{lakehouse.bind(each.port)}" for name, each in names.items()
            ),
            "advertised_listeners": ",".join(
                f"{name}://{each.authority}" for name, each in names.items()
            ),
            "controller_address": f"{LOOPBACK}:{address.controller_port}",
            "data": data,
            "max_message_bytes": lakehouse.settings.pipeline.topics.max_message_bytes,
        },
    )


def ensure_topics(lakehouse: Lakehouse) -> None:
    """Create missing topics as the settings say; add partitions to those that have fewer."""
    topics = lakehouse.settings.pipeline.topics
    # Log warnings only: suppress librdkafka's shutdown messages.
    servers = lakehouse.settings.topology.kafka.authority
    admin = AdminClient({"bootstrap.servers": servers, "log_level": LOG_WARNING})
    known = admin.list_topics(timeout=TOPIC_SECONDS).topics
    configuration = {
        "retention.ms": str(topics.retention_hours * HOUR_MS),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(topics.max_message_bytes),
    }
    wanted = {topics.clickstream: topics.partitions, topics.checkouts: topics.partitions}
    wanted |= {topics.changes(table): 1 for table in SHOP_TABLES}
    for name, partitions in wanted.items():
        if name not in known:
            new = NewTopic(name, partitions, 1, config=configuration)
            _await_all(admin.create_topics([new]))
        elif len(known[name].partitions) < partitions:
            _await_all(admin.create_partitions([NewPartitions(name, partitions)]))


def _await_all(futures: dict[str, Future[None]]) -> None:
    for future in futures.values():
        future.result(TOPIC_SECONDS)


SETUP_STEPS = (SetupStep("topics", ensure_topics, ("kafka",)),)
