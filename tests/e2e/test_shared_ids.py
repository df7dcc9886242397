"""Two users' messages have the same ids: what one sends does not change what the other's count."""

from collections.abc import Iterator

import pytest

from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.lake import HOUR_MS, Lake, Snapshot
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.traffic import SECOND_MS, outgoing

SEED = 1
MARTS = ("attributed_checkouts", "source_performance_hourly")
# Hours at the beginning of the stretch, for the late messages.
EMPTY_HOURS = 3


@pytest.fixture(scope="module")
def users(lake: Lake) -> list[int]:
    """Two buyers."""
    first = lake.traffic(SEED).eager_user
    return [first - 1, first]


def sales(users: list[int], at_ms: int, name: str, lake: Lake) -> Iterator[Outgoing]:
    """Each user clicks, then buys; both clicks have one id, and both checkouts have another."""
    for number, user_id in enumerate(users):
        own = f"source {number} of {users[0]}"
        click = make_click(f"{name} click of {users[0]}", user_id, at_ms + number, source=own)
        checkout = make_checkout(f"{name} checkout of {users[0]}", user_id, at_ms + SECOND_MS)
        yield outgoing(lake.topics.clickstream, click, number)
        yield outgoing(lake.topics.checkouts, checkout, number)


@pytest.fixture(scope="module")
def snapshot(lake: Lake, users: list[int], dbt_on_lake: RunDbt) -> Snapshot:
    """What the lake holds after sales on time and late ones; the marts are built."""
    late_ms = lake.now_ms + HOUR_MS
    lake.now_ms += EMPTY_HOURS * HOUR_MS
    lake.wake()
    lake.send(sales(users, lake.now_ms, "punctual", lake))
    lake.send(sales(users, late_ms, "late", lake))
    lake.finish_hour()
    dbt_on_lake("run", *MARTS)
    return lake.read()


def test_stream_answers_both_users(snapshot: Snapshot, users: list[int]) -> None:
    snapshot.check()
    answered = [row.user_id for row in snapshot.attributed.elements() if row.user_id in users]
    assert sorted(answered) == users


def test_mart_credits_each_user_with_the_own_click(
    snapshot: Snapshot, lake: Lake, users: list[int]
) -> None:
    assert snapshot.late
    rows = lake.trino.query(
        "select user_id, is_late, source from marts.attributed_checkouts"
        f" where user_id in ({users[0]}, {users[1]}) order by 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        (user_id, is_late, f"source {number} of {users[0]}")
        for number, user_id in enumerate(users)
        for is_late in (False, True)
    ]


def test_each_users_click_counts(snapshot: Snapshot, lake: Lake, users: list[int]) -> None:
    assert snapshot.valid
    rows = lake.trino.query(
        "select source, sum(click_count) from marts.source_performance_hourly"
        f" where model = 'linear' and source like '% of {users[0]}' group by 1 order by 1"
    )
    assert [tuple(row) for row in rows] == [
        (f"source {number} of {users[0]}", 2) for number in range(len(users))
    ]


def test_data_tests_and_audit_hold(
    snapshot: Snapshot, lakehouse: RunningLakehouse, dbt_on_lake: RunDbt
) -> None:
    assert snapshot.valid
    dbt_on_lake("test", *MARTS, "int_clicks_deduplicated", "int_checkouts_deduplicated")
    assert lakehouse.audit()
