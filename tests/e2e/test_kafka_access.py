"""Kafka: nobody gets in without a login, and each user may do only what its program needs.

The attacker is another user of the machine, or has taken over one of our own programs.
"""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    NewTopic,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from configuration.waiting import poll
from infra.services.connect import CONNECT_GROUP, SHOP_TABLES
from infra.services.kafka_access import SCRAM_ROUNDS, USERS, Right, to_acls
from tests.support.lakehouses import RunningLakehouse

SECONDS = 30
# The kinds of topic that a user may read or write.
READS = {
    "cli": {"events"},
    "flink": {"events", "changes"},
    "connect": {"own"},
    "admin": {"events", "changes", "own"},
}
WRITES = {"producer": {"events"}, "sender": {"events"}, "connect": {"changes", "own"}}
REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
USERS_WITHOUT_ALL = [user for user in USERS if user != "admin"]


@pytest.fixture(scope="module")
def topics(lakehouse: RunningLakehouse) -> dict[str, list[str]]:
    """The topics of each kind."""
    topics = lakehouse.settings.pipeline.topics
    return {
        "events": [topics.clickstream, topics.checkouts],
        "changes": [topics.changes(table) for table in SHOP_TABLES],
        "own": [f"{CONNECT_GROUP}-configs"],
    }


def test_broker_refuses_a_client_without_a_login(lakehouse: RunningLakehouse) -> None:
    servers = {"bootstrap.servers": lakehouse.kafka_client()["bootstrap.servers"]}
    assert not can_ask(servers)


@pytest.mark.parametrize("user", USERS)
def test_broker_refuses_a_wrong_password(lakehouse: RunningLakehouse, user: str) -> None:
    client = lakehouse.kafka_client(user)
    assert can_ask(client)
    assert not can_ask({**client, "sasl.password": user})


def test_broker_refuses_a_mechanism_that_sends_the_password(lakehouse: RunningLakehouse) -> None:
    assert not can_ask({**lakehouse.kafka_client(), "sasl.mechanism": "PLAIN"})


@pytest.mark.parametrize("user", USERS)
def test_user_reads_only_the_topics_of_its_program(
    lakehouse: RunningLakehouse, topics: dict[str, list[str]], user: str
) -> None:
    client = lakehouse.kafka_client(user)
    readable = {kind: {can_read(client, name) for name in names} for kind, names in topics.items()}
    assert readable == {kind: {kind in READS.get(user, set())} for kind in topics}


@pytest.mark.parametrize("user", USERS_WITHOUT_ALL)
def test_user_may_not_write_to_the_topics_of_other_programs(
    lakehouse: RunningLakehouse, topics: dict[str, list[str]], user: str
) -> None:
    others = [name for kind in topics.keys() - WRITES.get(user, set()) for name in topics[kind]]
    client = lakehouse.kafka_client(user)
    assert {name for name in others if can_write(client, name)} == set()


@pytest.mark.parametrize("user", USERS_WITHOUT_ALL)
def test_user_may_neither_make_nor_delete_topics(
    lakehouse: RunningLakehouse, topics: dict[str, list[str]], user: str
) -> None:
    admin = AdminClient(lakehouse.kafka_client(user))
    assert refuses(admin.create_topics([NewTopic(f"attack-{uuid.uuid4()}", 1)]))
    for names in topics.values():
        assert refuses(admin.delete_topics(names))


@pytest.mark.parametrize("user", USERS_WITHOUT_ALL)
def test_user_may_change_neither_passwords_nor_rights(
    lakehouse: RunningLakehouse, user: str
) -> None:
    admin = AdminClient(lakehouse.kafka_client(user))
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ROUNDS)
    attack = UserScramCredentialUpsertion("admin", info, b"attack")
    assert refuses(admin.alter_user_scram_credentials([attack]))
    everything = Right(user, ResourceType.BROKER, "kafka-cluster", (AclOperation.ALL,))
    assert refuses(admin.create_acls(list(to_acls(everything))))


@pytest.mark.parametrize("prefix", [f"{CONNECT_GROUP}-", ""])
@pytest.mark.parametrize("user", USERS_WITHOUT_ALL)
def test_only_connect_may_open_transactions_under_its_own_name(
    lakehouse: RunningLakehouse, user: str, prefix: str
) -> None:
    """A transaction with its name shuts Connect out; an open one holds up its whole partition."""
    name = f"{prefix}attack-{uuid.uuid4()}"
    producer = Producer({**lakehouse.kafka_client(user), "transactional.id": name})
    if user == "connect" and prefix:
        producer.init_transactions(SECONDS)
    else:
        with pytest.raises(KafkaException) as refused:
            producer.init_transactions(SECONDS)
        assert refused.value.args[0].code() in REFUSALS


def can_ask(client: dict[str, str]) -> bool:
    """Whether the broker answers a client; it closes the connection of one that it refuses."""
    errors: list[KafkaError] = []
    admin = AdminClient({**client, "log_level": 0, "error_cb": errors.append})

    def answered() -> bool:
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            admin.poll(0)
            return False

    return poll(answered, lambda answer: answer or bool(errors), SECONDS)


def can_read(client: dict[str, str], topic: str) -> bool:
    """Whether the broker gives the client what a topic holds; an empty one counts as given."""
    consumer = Consumer(
        {**client, "group.id": "attack", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    try:
        if consumer.list_topics(topic, SECONDS).topics[topic].error:
            return False  # it may not even know that the topic is there
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = poll(lambda: consumer.poll(1), says_something_about_the_topic, SECONDS)
        assert message, f"{topic}: neither a message nor a refusal within {SECONDS} s"
        error = message.error()
        return error is None or error.code() == KafkaError._PARTITION_EOF
    finally:
        consumer.close()


def says_something_about_the_topic(message: Message | None) -> bool:
    """Whether it is a message, or an error of its topic; the client also asks for its group."""
    error = message.error() if message else None
    return message is not None and not (
        error and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    )


def can_write(client: dict[str, str], topic: str) -> bool:
    """Whether the broker takes a message of the client."""
    errors: list[KafkaError | None] = []
    producer = Producer({**client, "message.timeout.ms": SECONDS * 1000})
    producer.produce(topic, b"attack", on_delivery=lambda error, _: errors.append(error))
    producer.flush()
    [error] = errors
    assert error is None or error.code() in REFUSALS, error
    return error is None


def refuses(futures: dict[str, object]) -> bool:
    """Whether the broker refused every request for lack of a right."""
    return {code in REFUSALS for code in _codes(futures)} == {True}


def _codes(futures: dict[str, object]) -> Iterator[int | None]:
    for future in futures.values():
        try:
            future.result(SECONDS)  # type: ignore[attr-defined]
            yield None
        except KafkaException as error:
            yield error.args[0].code()
