"""The audit: holds on all that was sent so far, and sees rows too few and one too many.

What it breaks stays broken: only a module that reads no table comes after it.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.audit import record_audit
from infra.marts import run_dbt
from infra.services import Lakehouse as InfraLakehouse
from infra.trino_client import TrinoClient, connect_trino
from tests.support.lake import Lake
from tests.support.lakehouses import Lakehouse


def make_audit(lakehouse: Lakehouse) -> Any:
    """The audit for machines, which must hold."""
    return json.loads(lakehouse.audit(as_json=True))


@pytest.fixture(scope="module")
def writer(lakehouse: Lakehouse, own: InfraLakehouse, crafted: Lake) -> TrinoClient:
    """Somebody who may break whole marts, and nobody who mends them: an hourly build would."""
    assert crafted.flink.running_job()
    lakehouse.stop_service("housekeeping")
    lakehouse.refresh_marts()
    return connect_trino(own.settings, own.secrets)


@pytest.mark.usefixtures("writer")
def test_audit_counts_what_kafka_and_the_lake_hold_when_all_is_well(
    lakehouse: Lakehouse, crafted: Lake
) -> None:
    snapshot = crafted.read()
    found = make_audit(lakehouse)
    assert found["holds"] is True
    assert sum(each["rows"] for each in found["partitions"]) == len(snapshot.verdicts)
    hours = found["hours"]
    assert sum(each["late"] for each in hours) == len(snapshot.late)
    assert sum(each["quarantined"] for each in hours) == len(snapshot.malformed)
    assert sum(each["events"] for each in hours) == len(snapshot.valid)
    assert sum(each["answers"] for each in hours) == snapshot.attributed.total()
    [[mart_rows]] = crafted.trino.query("select count(*) from marts.attributed_checkouts")
    assert mart_rows
    assert sum(each["rows"] for each in found["mart"]) == mart_rows
    assert sum(each["due"] for each in found["mart"]) == mart_rows


@pytest.mark.usefixtures("writer")
def test_findings_are_kept_for_the_dashboard_when_the_schedule_makes_an_audit(
    own: InfraLakehouse, lake: Lake
) -> None:
    begin = datetime.now(UTC)
    record_audit(own)
    found = lake.trino.query(
        "select rule, is_balanced, expected = found and expected > 0"
        f" from marts.audit_runs where started_at >= timestamp '{begin:%Y-%m-%d %H:%M:%S} UTC'"
        " order by rule"
    )
    assert [tuple(row) for row in found] == [
        ("each checkout is in the mart", True, True),
        ("each message is a row", True, True),
        ("each on-time checkout has an answer", True, True),
    ]


@pytest.mark.usefixtures("dbt")
def test_a_wrong_hour_is_found_when_it_is_among_those_tested(
    own: InfraLakehouse, writer: TrinoClient
) -> None:
    [[hour, hours_ago]] = writer.query(
        "select cast(min(checkout_hour) as varchar),"
        " date_diff('hour', min(checkout_hour), date_trunc('hour', now()))"
        " from marts.revenue_hourly"
    )
    assert hours_ago > 1
    change = "update marts.revenue_hourly set revenue_usd = revenue_usd {} where checkout_hour = {}"
    writer.query(change.format("+ 1", f"timestamp '{hour}'"))
    assert is_found_wrong(own) is True
    assert is_found_wrong(own, tested_hours=hours_ago) is True
    assert is_found_wrong(own, tested_hours=hours_ago - 1) is False
    writer.query(change.format("- 1", f"timestamp '{hour}'"))
    assert is_found_wrong(own) is False


def is_found_wrong(own: InfraLakehouse, **variables: int) -> bool:
    """Whether dbt finds a mart of revenue unlike a full refresh."""
    chosen = "revenue_hourly,test_name:equals_full_refresh"
    return run_dbt(own, "test", "--select", chosen, "--vars", json.dumps(variables)) != 0


def test_audit_fails_and_counts_when_rows_are_lost_and_another_doubled(
    lakehouse: Lakehouse, crafted: Lake, writer: TrinoClient
) -> None:
    [[partition, offset]] = writer.query(
        "select kafka_partition, kafka_offset from raw.clickstream order by 1, 2 limit 1"
    )
    writer.query(
        f"delete from raw.clickstream"
        f" where kafka_partition = {partition} and kafka_offset = {offset}"
    )
    [[checkout]] = writer.query(
        "select checkout_id from attribution.attributed_checkouts"
        " order by length(checkout_id) desc, 1 limit 1"
    )
    writer.query(
        "insert into attribution.attributed_checkouts"
        f" select * from attribution.attributed_checkouts where checkout_id = '{checkout}'"
    )
    # The audit leaves out what came in last: the last build need not have seen it.
    [[late]] = writer.query(
        "select checkout_id from marts.attributed_checkouts where is_late"
        " order by latest_ingested_at, 1 limit 1"
    )
    writer.query(f"delete from marts.attributed_checkouts where checkout_id = '{late}'")
    assert crafted.flink.running_job()
    with pytest.raises(AssertionError, match="audit") as failed:
        lakehouse.audit()
    assert "It does not add up: 2 missing, 1 too many" in str(failed.value)


def test_a_failed_test_says_which_rows_when_the_marts_are_built(
    lakehouse: Lakehouse, writer: TrinoClient
) -> None:
    """Of the row that was doubled above."""
    [[doubled]] = writer.query(
        "select checkout_id from attribution.attributed_checkouts"
        " group by checkout_id having count(*) > 1"
    )
    with pytest.raises(AssertionError, match="unique_stg_lake__attributed_checkouts") as failed:
        lakehouse.build_marts()
    assert doubled in str(failed.value)
