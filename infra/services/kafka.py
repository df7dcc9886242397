"""Kafka: one broker, which is also the controller, and all topics."""

import uuid
from pathlib import Path

from confluent_kafka.admin import NewPartitions, NewTopic

from configuration import REPOSITORY
from configuration.settings import LOOPBACK
from configuration.templates import render
from infra.services.connect import SHOP_TABLES
from infra.services.kafka_access import (
    REQUEST_SECONDS,
    SUPER_USERS,
    await_all,
    ensure_identity,
    ensure_users,
    open_admin,
)
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
        reads=(lakehouse.settings.kafka_identity_file,),
        after=("kafka-identity",),
        probe=KafkaProbe(address.broker_authority, str(lakehouse.settings.kafka_identity_file)),
        archive=archive,
        ports=("kafka.port", "kafka.broker_port", "kafka.controller_port"),
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
            "broker_bind": lakehouse.bind(address.broker_port),
            "broker_address": address.broker_authority,
            "identity": lakehouse.settings.kafka_identity_file,
            "super_users": ";".join(f"User:{user}" for user in SUPER_USERS),
            "controller_address": f"{LOOPBACK}:{address.controller_port}",
            "data": data,
            "max_message_bytes": lakehouse.settings.pipeline.topics.max_message_bytes,
        },
    )


def ensure_topics(lakehouse: Lakehouse) -> None:
    """Create missing topics as the settings say; add partitions to those that have fewer."""
    topics = lakehouse.settings.pipeline.topics
    admin = open_admin(lakehouse.settings)
    known = admin.list_topics(timeout=REQUEST_SECONDS).topics
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
            await_all(admin.create_topics([new]))
        elif len(known[name].partitions) < partitions:
            await_all(admin.create_partitions([NewPartitions(name, partitions)]))


SETUP_STEPS = (
    SetupStep("kafka-identity", ensure_identity),
    SetupStep("kafka-users", ensure_users, ("kafka",)),
    SetupStep("topics", ensure_topics, ("kafka-users",)),
)
