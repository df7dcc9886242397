"""Marts of an older version of the dbt project are brought up to date by the next build."""

import pytest

from configuration.trino_client import connect_trino
from infra.services.model import Lakehouse
from tests.support.lake import Lake
from tests.support.marts import RunDbt

MART = "marts.payment_failures_hourly"
SEED = 1
USERS = 50


@pytest.mark.thorough
def test_older_mart_gets_the_hours_name_and_the_partitions_in_place(
    own: Lakehouse, lake: Lake, dbt_on_lake: RunDbt
) -> None:
    lake.send(lake.traffic(SEED).journeys(USERS))
    lake.finish_hour()
    dbt_on_lake("run", "attributed_checkouts", "payment_failures_hourly")
    rows = lake.trino.query(f"select * from {MART} order by 1, 2, 3")
    assert rows
    snapshots = lake.trino.query(
        'select snapshot_id from marts."payment_failures_hourly$snapshots"'
    )

    trino = connect_trino(own.settings, own.secrets)
    trino.query(f"alter table {MART} set properties partitioning = array[]")
    trino.query(f"alter table {MART} rename column event_hour to checkout_hour")
    dbt_on_lake("run", "payment_failures_hourly")

    assert lake.trino.query(f"select * from {MART} order by event_hour, 2, 3") == rows
    kept = lake.trino.query('select snapshot_id from marts."payment_failures_hourly$snapshots"')
    assert set(snapshots) <= set(kept)
    [[definition]] = trino.query(f"show create table {MART}")
    assert "year(event_hour)" in definition


@pytest.mark.thorough
def test_mart_that_is_partitioned_by_hour_is_restated(
    own: Lakehouse, lake: Lake, dbt_on_lake: RunDbt
) -> None:
    lake.send(lake.traffic(SEED).messages(USERS))
    dbt_on_lake("run", "attributed_checkouts")
    trino = connect_trino(own.settings, own.secrets)
    trino.query(
        "alter table marts.attributed_checkouts"
        " set properties partitioning = array['hour(checked_out_at)']"
    )
    # Writes these rows again, by hour. The build restates them.
    trino.query(
        "update marts.attributed_checkouts set touchpoint_count = 1000"
        f" where checked_out_at >= from_unixtime({lake.zero_ms} / 1e3, 'UTC')"
    )
    lake.send(lake.traffic(SEED).journeys(USERS))
    dbt_on_lake("run", "attributed_checkouts")
    [[definition]] = trino.query("show create table marts.attributed_checkouts")
    assert "year(checked_out_at)" in definition
    assert "hour(checked_out_at)" not in definition
    assert (
        lake.trino.query(
            """
            (select * from marts.attributed_checkouts
            except select * from staging.int_checkouts_attributed)
            union all
            (select * from staging.int_checkouts_attributed
            except select * from marts.attributed_checkouts)
            """
        )
        == []
    )
