"""The shop's messages: repeatable, valid, and malformed or late exactly as planned."""

import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest

from configuration import REPOSITORY
from configuration.settings import Contract, Topics
from producer.malformed import CHECKOUTS_KINDS, CLICKSTREAM_KINDS
from producer.messages import Fate, Message
from producer.plan import Plan
from producer.stream import generate_messages
from reference.oracle import Malformed, Position, Valid, find_late, judge
from reference.oracle import Message as ReceivedMessage
from tests.support.sample_run import START_MS, SampleRun, digest_of_settings_plan

DIGEST_SCRIPT = """
from tests.support.sample_run import digest_of_settings_plan
print(digest_of_settings_plan())
"""


def received(messages: list[Message]) -> Iterator[tuple[Message, ReceivedMessage]]:
    """The messages as a broker with one partition for each topic holds them."""
    offsets: Counter[str] = Counter()
    for message in messages:
        position = Position(message.topic, 0, offsets[message.topic])
        offsets[message.topic] += 1
        yield (
            message,
            ReceivedMessage(position, message.key, message.value, message.sent_at_ms),
        )


Verdicts = list[tuple[Message, Valid | Malformed]]


@pytest.fixture(scope="module")
def verdicts(run: SampleRun) -> Verdicts:
    """Each message of the run with the oracle's verdict."""
    return list(judged(run))


def judged(run: SampleRun) -> Iterator[tuple[Message, Valid | Malformed]]:
    topics: Topics = run.pipeline.topics
    contract: Contract = run.pipeline.contract
    for message, as_received in received(run.messages):
        yield message, judge(as_received, topics, contract)


def test_messages_are_equal_when_plans_are_equal(run: SampleRun) -> None:
    assert list(islice(generate_messages(run.plan), 3_000)) == run.messages[:3_000]


def test_messages_are_equal_in_a_process_with_another_hash_seed() -> None:
    other = subprocess.run(
        [sys.executable, "-c", DIGEST_SCRIPT],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert other.strip() == digest_of_settings_plan()


@pytest.mark.parametrize(("seed", "start_ms"), [(43, START_MS), (42, START_MS + 1)])
def test_ids_differ_when_seed_or_start_differs(run: SampleRun, seed: int, start_ms: int) -> None:
    other = SampleRun(
        run.pipeline,
        run.plan,
        list(islice(generate_messages(replace(run.plan, seed=seed, start_ms=start_ms)), 2_000)),
    )
    topic = run.plan.clickstream_topic
    ids = {body["event_id"] for body in run.bodies(topic)}
    assert ids.isdisjoint(body["event_id"] for body in other.bodies(topic))


def test_sending_time_never_decreases(run: SampleRun) -> None:
    times_ms = [message.sent_at_ms for message in run.messages]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] >= START_MS


def test_oracle_agrees_which_messages_are_malformed(verdicts: Verdicts) -> None:
    for message, verdict in verdicts:
        assert isinstance(verdict, Malformed) == (message.fate is Fate.MALFORMED), message


def test_valid_messages_have_exactly_the_fields_of_the_contract(
    run: SampleRun, verdicts: Verdicts
) -> None:
    samples = {
        message.topic: verdict.fields for message, verdict in verdicts if isinstance(verdict, Valid)
    }
    for topic, fields in samples.items():
        assert all(body.keys() == fields.keys() for body in run.bodies(topic))


def test_message_key_is_the_user_id(verdicts: Verdicts) -> None:
    for message, verdict in verdicts:
        if isinstance(verdict, Valid):
            assert message.key == str(verdict.fields["user_id"]).encode()


def test_every_malformed_kind_occurs(run: SampleRun) -> None:
    kinds = {
        (message.topic, message.malformed_kind)
        for message in islice(generate_messages(replace(run.plan, malformed_share=0.2)), 2_000)
        if message.fate is Fate.MALFORMED
    }
    assert kinds == {
        *((run.plan.clickstream_topic, kind) for kind in CLICKSTREAM_KINDS),
        *((run.plan.checkouts_topic, kind) for kind in CHECKOUTS_KINDS),
    }


@pytest.mark.parametrize("kind", CHECKOUTS_KINDS)
def test_oracle_finds_every_message_of_a_kind_malformed(run: SampleRun, kind: str) -> None:
    broken = islice(generate_messages(replace(run.plan, malformed_share=0.2)), 2_000)
    sample = SampleRun(
        run.pipeline, run.plan, [each for each in broken if each.malformed_kind == kind]
    )
    assert sample.messages
    assert all(isinstance(verdict, Malformed) for _, verdict in judged(sample))


def test_planned_late_messages_are_late_when_a_topic_has_one_partition(
    run: SampleRun, verdicts: Verdicts
) -> None:
    valid = [verdict for _, verdict in verdicts if isinstance(verdict, Valid)]
    late = find_late(valid, run.pipeline.watermark.out_of_orderness_seconds)
    planned = {
        verdict.position
        for message, verdict in verdicts
        if isinstance(verdict, Valid) and message.fate is Fate.LATE
    }
    assert late == planned
    assert planned


def test_duplicate_has_the_same_bytes(run: SampleRun) -> None:
    first_sent_at_ms: dict[bytes, int] = {}
    for message in run.messages:
        if message.fate is Fate.DUPLICATE:
            behind_ms = message.sent_at_ms - first_sent_at_ms[message.value]
            assert 0 < behind_ms < run.plan.out_of_orderness_ms
        first_sent_at_ms.setdefault(message.value, message.sent_at_ms)


@pytest.mark.parametrize(
    ("fate", "setting"),
    [
        (Fate.OUT_OF_ORDER, "out_of_order_share"),
        (Fate.DUPLICATE, "duplicate_share"),
        (Fate.LATE, "late_share"),
        (Fate.MALFORMED, "malformed_share"),
    ],
)
@pytest.mark.parametrize("factor", [1, 4])
def test_share_of_messages_matches_the_setting(
    run: SampleRun, fate: Fate, setting: str, factor: int
) -> None:
    share = getattr(run.plan, setting) * factor
    plan = replace(run.plan, **{setting: share})
    messages = islice(generate_messages(plan), 12_000)
    found = sum(message.fate is fate for message in messages) / 12_000
    assert found == pytest.approx(share, rel=0.25)


def test_all_messages_are_in_order_when_all_shares_are_zero(plan: Plan) -> None:
    calm = replace(plan, out_of_order_share=0, duplicate_share=0, late_share=0, malformed_share=0)
    fates = {message.fate for message in islice(generate_messages(calm), 2_000)}
    assert fates == {Fate.IN_ORDER}


def test_no_message_is_in_order_when_the_shares_add_up_to_one(plan: Plan) -> None:
    wild = replace(
        plan, out_of_order_share=0.5, duplicate_share=0, late_share=0, malformed_share=0.5
    )
    fates = {message.fate for message in islice(generate_messages(wild), 500)}
    assert fates == {Fate.OUT_OF_ORDER, Fate.MALFORMED}


def test_memory_does_not_grow_with_the_number_of_messages(plan: Plan) -> None:
    messages = generate_messages(replace(plan, users=100, rate=500))
    for _ in islice(messages, 10_000):
        pass
    tracemalloc.start()
    try:
        for _ in islice(messages, 30_000):
            pass
        grown_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown_bytes < 1_000_000  # 14 MB were sent
