"""Valid messages that few senders send: each counts once, and changes nobody else's answer."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from confluent_kafka import Producer

from configuration.waiting import wait_until
from reference.events import encode, make_checkout, make_click
from tests.support.clients import log_in
from tests.support.lake import COMMIT_SECONDS, HOUR_MS, Lake, Snapshot
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import SECOND_MS

SECONDS = 30
CODECS = ("none", "gzip", "lz4", "snappy", "zstd")
Headers = list[tuple[str, bytes]]
HEADERS: Headers = [(f"header {number}", b"x" * 200) for number in range(1_000)]
LONG_KEY = bytes(range(256)) * 2_000
# More than a row has touchpoints.
SIMULTANEOUS = 150
# Far above the ids of other tests. Two for each hour of event time, because no two stretches begin
# at the same hour.
FIRST_SHOP_USER = 900_000_000


class Sender:
    """Sends to partition 0 of both topics, with options that the tests' usual client lacks."""

    def __init__(self, lakehouse: RunningLakehouse, codec: str = "none") -> None:
        options = {"compression.type": codec, "linger.ms": 100}
        self._producer = Producer({**lakehouse.kafka_client("sender"), **options})

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Send one message."""
        self._producer.produce(topic, value, key, partition=0, headers=headers or [])
        assert self._producer.flush(SECONDS) == 0


@pytest.fixture(scope="module")
def users(lake: Lake) -> Iterator[int]:
    """Ids of users, each used once."""
    return iter(range(lake.traffic(1).eager_user - 20, lake.traffic(1).eager_user))


@pytest.fixture(scope="module")
def buyers(lakehouse: RunningLakehouse, lake: Lake, users: Iterator[int]) -> dict[str, int]:
    """Each odd kind of message, and the user who clicked and bought with it."""
    lake.wake()
    clicks, checkouts, at_ms = lake.topics.clickstream, lake.topics.checkouts, lake.now_ms
    bought: dict[str, int] = {}

    def buy(
        kind: str, sender: Sender, key: bytes | None = None, headers: Headers | None = None
    ) -> None:
        user_id = bought[kind] = next(users)
        click = make_click(f"click of {user_id}", user_id, at_ms, source=kind)
        checkout = make_checkout(f"checkout of {user_id}", user_id, at_ms + SECOND_MS)
        sender.send(clicks, encode(click), key, headers)
        sender.send(checkouts, encode(checkout), key, headers)

    plain = Sender(lakehouse)
    for codec in CODECS:
        buy(f"codec {codec}", Sender(lakehouse, codec))
    buy("many headers", plain, headers=HEADERS)
    buy("long key", plain, key=LONG_KEY)
    buy("empty key", plain, key=b"")
    for topic in (clicks, checkouts):
        plain.send(topic, None, key=b"deleted")
        plain.send(topic, b"", key=b"empty")
    user_id = bought["simultaneous clicks"] = next(users)
    for number in reversed(range(SIMULTANEOUS)):
        name = f"click {number:03} of {user_id}"
        plain.send(clicks, encode(make_click(name, user_id, at_ms, source=f"source {number}")))
    plain.send(checkouts, encode(make_checkout(f"checkout of {user_id}", user_id, at_ms)))
    return bought


@pytest.fixture(scope="module")
def snapshot(lake: Lake, buyers: dict[str, int]) -> Snapshot:
    assert buyers
    lake.close()
    return lake.read()


def test_odd_messages_are_stored_and_answered_as_the_oracle_says(snapshot: Snapshot) -> None:
    snapshot.check()


@pytest.mark.parametrize(
    "kind", [*(f"codec {codec}" for codec in CODECS), "many headers", "long key", "empty key"]
)
def test_odd_sale_is_earned_by_its_click(
    snapshot: Snapshot, buyers: dict[str, int], kind: str
) -> None:
    [row] = [row for row in snapshot.attributed if row.user_id == buyers[kind]]
    assert row.click is not None
    assert row.click.source == kind


def test_messages_without_content_are_quarantined(snapshot: Snapshot, lake: Lake) -> None:
    bodies = sorted(
        (row.position.topic, row.message_key, row.body) for row in snapshot.quarantine.values()
    )
    topics = sorted((lake.topics.clickstream, lake.topics.checkouts))
    assert bodies == [
        (topic, key, body)
        for topic in topics
        for key, body in ((b"deleted", None), (b"empty", b""))
    ]


def test_of_clicks_at_one_moment_the_smallest_id_earns(
    snapshot: Snapshot, buyers: dict[str, int], lake: Lake
) -> None:
    user_id = buyers["simultaneous clicks"]
    [row] = [row for row in snapshot.attributed if row.user_id == user_id]
    assert row.click is not None
    assert row.click.click_id == f"click 000 of {user_id}"
    ids = [step.click_id for step in row.touchpoints]
    assert ids == sorted(ids)
    assert len(ids) == lake.pipeline.attribution.max_touchpoints


def test_rows_that_the_shop_rolled_back_are_not_captured(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    """A savepoint that is rolled back, within a transaction that is committed."""
    saved = FIRST_SHOP_USER + 2 * (lake.zero_ms // HOUR_MS)
    rolled_back = saved + 1
    add = "insert into users values (%s, 'odd', 'female', '2000-01-01', 'DE', now(), now())"
    with closing(psycopg2.connect(**log_in(lakehouse, "shop", "shop"))) as connection:
        cursor = connection.cursor()
        cursor.execute("savepoint before")
        cursor.execute(add, [rolled_back])
        cursor.execute("rollback to savepoint before")
        cursor.execute(add, [saved])
        connection.commit()
        cursor.execute("delete from users where user_id = %s", [saved])
        connection.commit()

    def captured() -> list[tuple[int, str]]:
        return [
            tuple(row)
            for row in lake.trino.query(
                "select user_id, operation from raw.users_changes"
                f" where user_id in ({saved}, {rolled_back}) order by kafka_offset"
            )
        ]

    wait_until(lambda: len(captured()) >= 2, COMMIT_SECONDS, "both changes of the saved user")
    assert captured() == [(saved, "insert"), (saved, "delete")]
