"""Messages sent in Kafka transactions: only committed ones count, in the tables and in the audit.

A transaction takes one offset of each partition for its end, and an aborted one keeps its offsets.
"""

import uuid
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from infra.operations.audit import record_audit
from infra.services.model import Lakehouse
from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.audits import make_audit
from tests.support.lake import Lake, Snapshot
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.traffic import outgoing

SECONDS = 30
BUYER = 9_000_001
ABORTED_SALES = 3


class Sent(NamedTuple):
    """Ids of the sales, and what the lake holds of them."""

    committed: str
    aborted: set[str]
    snapshot: Snapshot


@pytest.fixture(scope="module")
def sent(lakehouse: RunningLakehouse, lake: Lake, dbt_on_lake: RunDbt) -> Sent:
    """An aborted transaction and a committed one."""
    lake.wake()
    committed, aborted = f"kept {lake.zero_ms}", f"aborted {lake.zero_ms}"
    topic = lake.topics.checkouts
    client = lakehouse.kafka_client("admin")
    producer = Producer({**client, "transactional.id": f"tests-{uuid.uuid4()}"})
    producer.init_transactions(SECONDS)
    sales = [
        outgoing(topic, make_checkout(f"{aborted} {i}", BUYER, lake.now_ms), 0)
        for i in range(ABORTED_SALES)
    ]
    transact(producer, sales, is_kept=False)
    click = make_click(f"click {lake.zero_ms}", BUYER, lake.now_ms)
    checkout = make_checkout(committed, BUYER, lake.now_ms + 1)
    kept = [outgoing(lake.topics.clickstream, click, 0), outgoing(topic, checkout, 0)]
    transact(producer, kept, is_kept=True)
    lake.close()
    dbt_on_lake("run", "attributed_checkouts")
    return Sent(committed, {f"{aborted} {i}" for i in range(ABORTED_SALES)}, lake.read())


def transact(producer: Producer, messages: list[Outgoing], *, is_kept: bool) -> None:
    """Send the messages in one transaction; commit it or abort it."""
    producer.begin_transaction()
    for message in messages:
        producer.produce(message.topic, message.value, message.key, message.partition)
    producer.flush(SECONDS)
    if is_kept:
        producer.commit_transaction(SECONDS)
    else:
        producer.abort_transaction(SECONDS)


def test_only_committed_messages_have_rows_and_answers(sent: Sent) -> None:
    sent.snapshot.check()
    answered = {row.checkout_id: row for row in sent.snapshot.attributed}
    assert answered[sent.committed].click is not None
    assert answered.keys() & sent.aborted == set()


def test_audit_does_not_count_offsets_without_a_message(
    lakehouse: RunningLakehouse, own: Lakehouse, lake: Lake, sent: Sent
) -> None:
    assert sent.committed
    ends = lake.ends()
    found = make_audit(lakehouse)
    checkouts = [each for each in found["partitions"] if each["topic"] == lake.topics.checkouts]
    # the aborted sales, and the ends of two transactions
    assert checkouts[0]["empty"] >= ABORTED_SALES + 2
    for each in found["partitions"]:
        end = ends[each["topic"], each["partition"]]
        assert each["expected"] + each["empty"] <= end
    assert sum(each["expected"] for each in found["partitions"]) == len(lake.journal.read())
    recorded = sum(each["last"] - each["first"] + 1 for each in found["empty"])
    assert recorded >= ABORTED_SALES + 3
    record_audit(own)
    again = make_audit(lakehouse)
    assert again["empty"] == []
    assert again["partitions"] == found["partitions"]
