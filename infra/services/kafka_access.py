"""Who may do what in Kafka: the broker's certificate, users with passwords, and their rights.

Clients log in with a user's password. The broker itself and this module use another listener, which
asks for the broker's certificate. Whoever holds that may do everything, so this module can make the
first users.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from configuration.kafka_client import kafka_password
from configuration.settings import Settings, Topics
from flink_jobs.cluster import CONSUMER_GROUP
from infra.services.certificates import ensure_identity_file
from infra.services.connect import CONNECT_GROUP, SHOP_TABLES
from infra.services.model import Lakehouse
from infra.services.probes import broker_client

REQUEST_SECONDS = 30
LOG_WARNING = 4  # a syslog level, as librdkafka uses them
# The name in the broker's certificate, and so the name of its user.
BROKER = "Tributary Kafka"
# Kafka's default and least. The passwords are random, so more rounds would protect nothing.
SCRAM_ROUNDS = 4096
SUPER_USERS = (f"CN={BROKER}", "admin")
USERS = ("admin", "cli", "connect", "flink", "producer", "sender")

LITERAL, PREFIXED = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
TRANSACTION = ResourceType.TRANSACTIONAL_ID
READ, WRITE, CREATE = AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE
DESCRIBE, DESCRIBE_CONFIGS = AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS


class Right(NamedTuple):
    """What a user may do with a topic, a consumer group or a transaction."""

    user: str
    kind: ResourceType
    name: str
    operations: tuple[AclOperation, ...]
    pattern: ResourcePatternType = LITERAL


def list_rights(topics: Topics) -> Iterator[Right]:
    """Yield the rights of all users but `admin`, who may do everything."""
    events = (topics.clickstream, topics.checkouts)
    changes = tuple(topics.changes(table) for table in SHOP_TABLES)
    for topic in events:
        yield Right("producer", TOPIC, topic, (WRITE,))
        yield Right("sender", TOPIC, topic, (WRITE,))
        yield Right("cli", TOPIC, topic, (READ,))
    yield Right("cli", GROUP, CONSUMER_GROUP, (DESCRIBE,))
    for topic in (*events, *changes):
        yield Right("flink", TOPIC, topic, (READ,))
    yield Right("flink", GROUP, CONSUMER_GROUP, (READ,))
    for topic in changes:
        yield Right("connect", TOPIC, topic, (WRITE,))
    # Debezium's own name.
    yield Right("connect", TOPIC, f"__debezium-heartbeat.{topics.changes_prefix}", (CREATE, WRITE))
    # The worker's own topics and transactions: connect-configs, connect-cluster-connect and so on.
    own = f"{CONNECT_GROUP}-"
    yield Right("connect", TOPIC, own, (CREATE, READ, WRITE, DESCRIBE_CONFIGS), PREFIXED)
    yield Right("connect", TRANSACTION, own, (WRITE,), PREFIXED)
    yield Right("connect", GROUP, CONNECT_GROUP, (READ,))


def ensure_identity(lakehouse: Lakehouse) -> None:
    """Make the broker's certificate, unless it is valid."""
    settings = lakehouse.settings
    hosts = settings.topology.kafka.names
    ensure_identity_file(settings.kafka_identity_file, BROKER, hosts, datetime.now(UTC))


def ensure_users(lakehouse: Lakehouse) -> None:
    """Give each user of Kafka its password and its rights."""
    admin = open_admin(lakehouse.settings)
    passwords = {user: kafka_password(lakehouse.secrets, user) for user in USERS}
    await_all(admin.alter_user_scram_credentials(list(_credentials(passwords))))
    rights = list_rights(lakehouse.settings.pipeline.topics)
    await_all(admin.create_acls([acl for right in rights for acl in to_acls(right)]))


def _credentials(passwords: Mapping[str, str]) -> Iterator[UserScramCredentialUpsertion]:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ROUNDS)
    for user, password in passwords.items():
        yield UserScramCredentialUpsertion(user, info, password.encode())


def to_acls(right: Right) -> Iterator[AclBinding]:
    """Yield a right in Kafka's form, one for each operation."""
    for operation in right.operations:
        yield AclBinding(
            right.kind,
            right.name,
            right.pattern,
            f"User:{right.user}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )


def await_all(futures: Mapping[Any, Future[None]]) -> None:
    """Wait until the broker has done everything; raises its error if it refuses something."""
    for future in futures.values():
        future.result(REQUEST_SECONDS)


def open_admin(settings: Settings) -> AdminClient:
    """Open a client that has the broker's certificate, so it may do everything."""
    servers, identity = settings.topology.kafka.broker_authority, str(settings.kafka_identity_file)
    # Log warnings only: suppress librdkafka's shutdown messages.
    return AdminClient(broker_client(servers, identity, LOG_WARNING))
