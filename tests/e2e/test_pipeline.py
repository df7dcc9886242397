"""From Kafka to the attributed rows: adversarial traffic, compared with the oracle."""

import pytest

from reference.events import make_checkout, make_click
from reference.oracle import find_late
from tests.support.lake import Lake, Snapshot
from tests.support.traffic import Traffic, outgoing

SEED = 1
RANDOM_USERS = 1_000


@pytest.fixture(scope="module")
def traffic(lake: Lake) -> Traffic:
    """Adversarial traffic."""
    return lake.traffic(SEED)


@pytest.fixture(scope="module")
def snapshot(lake: Lake, traffic: Traffic) -> Snapshot:
    """What Kafka and the lake hold after that traffic."""
    lake.send(traffic.messages(RANDOM_USERS))
    return lake.read()


def test_each_message_is_in_exactly_one_table_once(
    snapshot: Snapshot,
) -> None:
    assert snapshot.lost_or_doubled() == []


def test_raw_rows_equal_the_valid_messages(snapshot: Snapshot) -> None:
    assert snapshot.wrong_raw_rows() == []


def test_quarantine_has_the_bytes_and_the_faulty_field_of_malformed_messages(
    snapshot: Snapshot,
) -> None:
    assert snapshot.wrong_quarantine_rows() == []


def test_attributed_rows_equal_the_oracles(
    snapshot: Snapshot,
) -> None:
    assert snapshot.wrong_attributed_rows() == []


def test_traffic_covers_every_kind_of_row(snapshot: Snapshot, lake: Lake) -> None:
    rows = snapshot.attributed
    limit = lake.pipeline.attribution.max_touchpoints
    assert any(row.click is None and not row.touchpoints for row in rows)
    assert any(row.click is None and row.touchpoints for row in rows)
    assert any(row.click is not None and row.click != row.touchpoints[0] for row in rows)
    assert any(row.payment_status == "failed" for row in rows)
    assert any(row.touchpoint_count > limit == len(row.touchpoints) for row in rows)
    assert snapshot.late


def test_rows_within_the_bound_of_their_partition_are_not_late(
    snapshot: Snapshot, lake: Lake
) -> None:
    behind = find_late(snapshot.valid.values(), lake.pipeline.watermark.out_of_orderness_seconds)
    assert snapshot.late - behind == set()


def test_only_the_user_with_more_clicks_than_state_holds_is_flagged_truncated(
    snapshot: Snapshot, lake: Lake, traffic: Traffic
) -> None:
    assert snapshot.truncated == {f"{traffic.busy_user}/o"}
    [[count, touchpoints]] = lake.trino.query(
        f"""
        select touchpoint_count, cardinality(touchpoints)
        from attribution.attributed_checkouts
        where user_id = {traffic.busy_user}
        """
    )
    rules = lake.pipeline.attribution
    assert (count, touchpoints) == (rules.max_clicks_per_user, rules.max_touchpoints)


def test_message_exactly_at_the_watermark_is_late(lake: Lake, snapshot: Snapshot) -> None:
    assert snapshot.valid, "the watermark must be past the traffic"
    at_ms = lake.watermark_ms
    topics = lake.topics
    lake.send(
        [
            outgoing(topic, make(f"{name} {at_ms}", 42, at_ms + distance_ms), 0)
            for name, distance_ms in (("at", 0), ("after", 1))
            for topic, make in (
                (topics.clickstream, make_click),
                (topics.checkouts, make_checkout),
            )
        ]
    )
    rows = lake.trino.query(
        f"""
        select event_id, is_late from raw.clickstream where event_id like '% {at_ms}'
        union all
        select checkout_id, is_late from raw.checkouts where checkout_id like '% {at_ms}'
        """
    )
    late = (f"at {at_ms}", True)
    on_time = (f"after {at_ms}", False)
    assert sorted(rows) == sorted([late, on_time] * 2)
    lake.read().check()


def test_job_did_not_restart_during_adversarial_traffic(snapshot: Snapshot, lake: Lake) -> None:
    assert snapshot.malformed, "the traffic must contain malformed messages"
    assert lake.failures() == []
