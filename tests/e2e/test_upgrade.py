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
def test_hour_of_an_older_mart_is_renamed_in_place(
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
    trino.query(f"alter table {MART} rename column event_hour to checkout_hour")
    dbt_on_lake("run", "payment_failures_hourly")

    assert lake.trino.query(f"select * from {MART} order by event_hour, 2, 3") == rows
    kept = lake.trino.query('select snapshot_id from marts."payment_failures_hourly$snapshots"')
    assert set(snapshots) <= set(kept)
