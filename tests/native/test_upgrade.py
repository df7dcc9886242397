"""A lakehouse of an earlier version goes on; its tables lack columns, partitions and answers."""

from collections.abc import Iterator

import pytest

from configuration.trino_client import connect_trino
from flink_jobs.cluster import stop_with_savepoint
from flink_jobs.lake_tables import ANSWERS_EACH_ATTEMPT_SINCE, ATTRIBUTED_CHECKOUTS, open_catalog
from infra.operations.housekeeping import merge_small_files
from infra.services.model import Lakehouse
from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
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


def order(lake: Lake, order_id: str) -> Iterator[Outgoing]:
    """An order with two lines, for products 1 and 2; an earlier version answered only the first."""
    for product_id in (1, 2):
        line = make_checkout(
            order_id, lake.traffic(SEED).eager_user, lake.now_ms, product_id=product_id
        )
        yield outgoing(lake.topics.checkouts, line, 0)


def forget_answer(own: Lakehouse, line: str) -> None:
    """Make the answers look like an earlier version's, which had none for some lines."""
    trino = connect_trino(own.settings, own.secrets)
    trino.query(f"delete from {ATTRIBUTED_CHECKOUTS.name} where {line}")
    trino.query(f"alter table {ATTRIBUTED_CHECKOUTS.name} drop column other_attempt_at")
    table = open_catalog(own.settings, own.secrets).load_table(ATTRIBUTED_CHECKOUTS.name)
    with table.transaction() as transaction:
        transaction.remove_properties(ANSWERS_EACH_ATTEMPT_SINCE)


@pytest.mark.thorough
def test_job_resumes_when_its_tables_get_columns_partitions_and_rules(
    lakehouse: RunningLakehouse, own: Lakehouse, lake: Lake, dbt_on_lake: RunDbt
) -> None:
    order_id = f"order of {lake.traffic(SEED).eager_user}"
    lake.send([*order(lake, order_id), *sale(lake, "first", user_agent=None)])
    lakehouse.stop_service("attribution")
    savepoint = stop_with_savepoint(own.settings)
    assert savepoint
    trino = connect_trino(own.settings, own.secrets)
    # No mart reads this column, so the tests of marts do not notice that older rows lose it.
    trino.query("alter table raw.clickstream drop column user_agent")
    for table, column in STORED_BY.items():
        trino.query(f"alter table {table} set properties partitioning = array['hour({column})']")
    forget_answer(own, f"checkout_id = '{order_id}' and product_id = 2")

    lakehouse.start()

    origin = lake.flink.restored_from(lake.flink.running_job())
    assert origin["external_path"].endswith(savepoint.rpartition("/")[2])
    lake.send(sale(lake, "second", user_agent="test"))
    lake.finish_hour()
    snapshot = lake.read()
    assert snapshot.lost_or_doubled() == []
    [missing] = snapshot.wrong_attributed_rows()
    assert order_id in missing
    agents = lake.trino.query(
        "select split_part(event_id, ' ', 1), user_agent from raw.clickstream"
        f" where event_id like '% click of %' and {snapshot.is_at('occurred_at')} order by 1"
    )
    assert [tuple(row) for row in agents] == [("first", None), ("second", "test")]
    merge_small_files(own)  # files of both kinds of partitions
    assert lake.read().lost_or_doubled() == []

    dbt_on_lake("run", "attributed_checkouts")
    restated = lake.trino.query(
        "select checkout_id, product_id, restatement_reason from marts.attributed_checkouts"
        f" where {snapshot.is_at('checked_out_at')} and restatement_reason is not null"
    )
    assert [tuple(row) for row in restated] == [(order_id, 2, "not reported")]
    assert lakehouse.audit()
