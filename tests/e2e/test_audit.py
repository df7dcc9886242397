"""The audit: holds on all that was sent so far, and sees one row too few and one too many.

The last module: what it breaks stays broken.
"""

import json
from typing import Any

import pytest

from infra.secrets import load_secrets
from infra.trino_client import TrinoClient, connect_trino
from tests.e2e.lake import Lake, Lakehouse


def make_audit(lakehouse: Lakehouse) -> Any:
    """The audit for machines, which must hold."""
    return json.loads(lakehouse.make("-s", "audit", "JSON=1").stdout)


@pytest.fixture
def writer(lakehouse: Lakehouse) -> TrinoClient:
    """Somebody who may break things."""
    return connect_trino(lakehouse.settings, load_secrets(lakehouse.settings))


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


def test_audit_fails_and_counts_when_a_row_is_lost_and_another_doubled(
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
        "select checkout_id from attribution.attributed_checkouts order by 1 limit 1"
    )
    writer.query(
        "insert into attribution.attributed_checkouts"
        f" select * from attribution.attributed_checkouts where checkout_id = '{checkout}'"
    )
    assert crafted.flink.running_job()
    with pytest.raises(AssertionError, match="make audit") as failed:
        lakehouse.make("audit")
    assert "It does not add up: 1 missing, 1 too many" in str(failed.value)
