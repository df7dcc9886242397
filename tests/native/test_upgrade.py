"""A lakehouse whose tables lack a column, and are stored by event time: the job goes on."""

from collections.abc import Iterator

import pytest

from configuration.trino_client import connect_trino
from flink_jobs.cluster import stop_with_savepoint
from infra.operations.housekeeping import merge_small_files
from infra.services.model import Lakehouse
from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import SECOND_MS, outgoing

SEED = 1
# How an earlier version partitioned the stream's tables.
STORED_BY = {
    "raw.clickstream": "occurred_at",
    "raw.checkouts": "occurred_at",
    "attribution.attributed_checkouts": "checked_out_at",
}


def sale(lake: Lake, name: str, user_agent: str | None) -> Iterator[Outgoing]:
    """A click and, a second later, the checkout that it earns."""
    user_id, at_ms = lake.traffic(SEED).eager_user, lake.now_ms + SECOND_MS
    click = make_click(f"{name} click of {user_id}", user_id, at_ms, user_agent=user_agent)
    checkout = make_checkout(f"{name} checkout of {user_id}", user_id, at_ms + SECOND_MS)
    yield outgoing(lake.topics.clickstream, click, 0)
    yield outgoing(lake.topics.checkouts, checkout, 0)


@pytest.mark.thorough
def test_job_resumes_when_its_table_gets_a_column_and_partitions(
    lakehouse: RunningLakehouse, own: Lakehouse, lake: Lake
) -> None:
    lake.send(sale(lake, "first", user_agent=None))
    lakehouse.stop_service("attribution")
    savepoint = stop_with_savepoint(own.settings)
    assert savepoint
    trino = connect_trino(own.settings, own.secrets)
    # No mart reads this column, so the tests of marts do not notice that older rows lose it.
    trino.query("alter table raw.clickstream drop column user_agent")
    for table, column in STORED_BY.items():
        trino.query(f"alter table {table} set properties partitioning = array['hour({column})']")

    lakehouse.start()

    origin = lake.flink.restored_from(lake.flink.running_job())
    assert origin["external_path"].endswith(savepoint.rpartition("/")[2])
    lake.send(sale(lake, "second", user_agent="test"))
    lake.finish_hour()
    snapshot = lake.read()
    assert snapshot.lost_or_doubled() == []
    assert snapshot.wrong_attributed_rows() == []
    agents = lake.trino.query(
        "select split_part(event_id, ' ', 1), user_agent from raw.clickstream"
        f" where event_id like '% click of %' and {snapshot.is_at('occurred_at')} order by 1"
    )
    assert [tuple(row) for row in agents] == [("first", None), ("second", "test")]
    merge_small_files(own)  # files of both kinds of partitions
    assert lake.read().lost_or_doubled() == []
