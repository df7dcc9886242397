"""The audit: holds for everything sent, and finds missing rows and a row too many.

Each test repairs what it breaks.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from configuration.trino_client import TrinoClient, connect_trino
from configuration.waiting import wait_until
from infra.operations.audit import audit, record_audit
from infra.services.marts import run_dbt
from infra.services.model import Lakehouse
from reference.events import make_checkout
from reference.oracle import Malformed
from tests.support.audits import make_audit, read_hour
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.traffic import outgoing

SEED = 1
USERS = 100
TESTED_SECONDS = 120
SLICES = 4
CLOCK_DIFFERENCE = timedelta(seconds=2)


@pytest.fixture(scope="module")
def sent(lake: Lake, dbt_on_lake: RunDbt) -> Lake:
    """The lake after adversarial traffic and a late checkout; the audit expects all in the mart."""
    lake.send(lake.traffic(SEED).messages(USERS))
    late = make_checkout(late_checkout(lake), 42, lake.zero_ms)
    lake.kafka.send([outgoing(lake.topics.checkouts, late, 0)])
    bind_mart(lake, dbt_on_lake)
    return lake


def late_checkout(lake: Lake) -> str:
    """Id of a checkout that is certainly late."""
    return f"late in {lake.zero_ms}"


def bind_mart(lake: Lake, dbt_on_lake: RunDbt) -> None:
    """Make the audit expect everything sent so far in the mart of checkouts.

    The audit excludes the newest rows, because a build may not have seen them. So another checkout
    follows.
    """
    sent_at = time.monotonic()
    settle_seconds = lake.pipeline.marts.audit_settle_seconds
    wait_until(
        lambda: time.monotonic() - sent_at > settle_seconds,
        2 * settle_seconds,
        "the audit's time to settle",
    )
    last = make_checkout(f"last of {lake.now_ms}", 42, lake.now_ms)
    lake.send([outgoing(lake.topics.checkouts, last, 0)])
    dbt_on_lake("run", "attributed_checkouts")


@pytest.fixture(scope="module")
def writer(own: Lakehouse, sent: Lake) -> TrinoClient:
    """A Trino client that may write to every table."""
    assert sent.flink.running_job()
    return connect_trino(own.settings, own.secrets)


def test_audit_counts_what_kafka_and_the_lake_hold(lakehouse: RunningLakehouse, sent: Lake) -> None:
    snapshot = sent.read()
    found = make_audit(lakehouse)
    assert found["holds"] is True
    assert sum(each["rows"] for each in found["partitions"]) == len(sent.journal.read())
    malformed = [each for each in sent.journal.read().values() if isinstance(each, Malformed)]
    assert sum(each["quarantined"] for each in found["hours"]) == len(malformed)
    first = datetime.fromtimestamp(snapshot.since_ms / 1e3, UTC)
    hours = [each for each in found["hours"] if read_hour(each) >= first]
    assert sum(each["late"] for each in hours) == len(snapshot.late)
    assert sum(each["events"] for each in hours) == len(snapshot.valid)
    assert sum(each["answers"] for each in hours) == snapshot.attributed.total()
    mart_rows = [each for each in found["mart"] if read_hour(each) >= first]
    [[count]] = sent.trino.query(
        "select count(*) from marts.attributed_checkouts"
        f" where checked_out_at >= from_unixtime({snapshot.since_ms} / 1e3, 'UTC')"
    )
    assert count
    assert sum(each["rows"] for each in mart_rows) == count
    assert sum(each["due"] for each in mart_rows) == count


def test_scheduled_audit_records_its_findings_for_the_dashboard(own: Lakehouse, sent: Lake) -> None:
    begin = datetime.now(UTC)
    record_audit(own)
    found = sent.trino.query(
        "select rule, is_balanced, expected = found and expected > 0"
        f" from marts.audit_runs where started_at >= timestamp '{begin:%Y-%m-%d %H:%M:%S} UTC'"
        " order by rule"
    )
    assert [tuple(row) for row in found] == [
        ("each checkout is in the mart", True, True),
        ("each message is a row", True, True),
        ("each on-time checkout has an answer", True, True),
    ]


def test_audit_says_since_when_the_mart_is_behind(
    lakehouse: RunningLakehouse, own: Lakehouse, sent: Lake
) -> None:
    begin = datetime.now(UTC) - CLOCK_DIFFERENCE
    unbuilt = make_checkout(f"unbuilt of {sent.now_ms}", 42, sent.now_ms)
    sent.send([outgoing(sent.topics.checkouts, unbuilt, 0)])
    found = make_audit(lakehouse)
    assert found["holds"] is True
    assert begin <= datetime.fromisoformat(found["behind_since"]) <= datetime.now(UTC)
    # It is missing, and not only waiting, when a build is long overdue.
    wait_until(
        lambda: audit(expect_builds_at_once(own)).missing > 0,
        TESTED_SECONDS,
        "the checkout to be overdue",
    )


def expect_builds_at_once(own: Lakehouse) -> Lakehouse:
    """The lakehouse, as if the marts were built all the time."""
    pipeline = own.settings.pipeline
    marts = pipeline.marts.model_copy(update={"build_interval_minutes": 0})
    changed = pipeline.model_copy(update={"marts": marts})
    return replace(own, settings=own.settings.model_copy(update={"pipeline": changed}))


def test_status_shows_each_marts_newest_hour_and_last_build(
    lakehouse: RunningLakehouse, own: Lakehouse, writer: TrinoClient, dbt_on_lake: RunDbt
) -> None:
    begin = datetime.now(UTC) - CLOCK_DIFFERENCE
    dbt_on_lake("run", "revenue_hourly")
    [[newest]] = writer.query("select max(event_hour) from marts.revenue_hourly")
    shown = read_mart_status(lakehouse, "revenue_hourly")
    assert datetime.fromisoformat(shown["newest_hour"]) == newest
    assert datetime.fromisoformat(shown["built_at"]) >= begin
    assert shown["error"] == ""
    rename = "alter table marts.revenue_hourly rename column {} to {}"
    writer.query(rename.format("revenue_usd", "renamed_usd"))
    try:
        assert run_dbt(own, "run", "--select", "revenue_hourly", "dim_products") != 0
        assert "revenue_usd" in read_mart_status(lakehouse, "revenue_hourly")["error"]
        assert read_mart_status(lakehouse, "dim_products")["error"] == ""
    finally:
        writer.query(rename.format("renamed_usd", "revenue_usd"))


def read_mart_status(lakehouse: RunningLakehouse, name: str) -> dict[str, Any]:
    """What `make status` says about a mart."""
    [found] = [each for each in lakehouse.status()["marts"] if each["name"] == name]
    return dict(found)


@pytest.mark.thorough
def test_dbt_finds_a_wrong_hour_only_within_the_tested_hours(
    own: Lakehouse, writer: TrinoClient, dbt_on_lake: RunDbt
) -> None:
    dbt_on_lake("run", "revenue_hourly")
    [[hour, hours_ago]] = writer.query(
        "select cast(min(event_hour) as varchar),"
        " date_diff('hour', min(event_hour), date_trunc('hour', now()))"
        " from marts.revenue_hourly"
    )
    assert hours_ago > 1
    change = "update marts.revenue_hourly set revenue_usd = revenue_usd {} where event_hour = {}"
    writer.query(change.format("+ 1", f"timestamp '{hour}'"))
    assert is_found_wrong(own) is True
    assert is_found_wrong(own, tested_hours=hours_ago) is True
    assert is_found_wrong(own, tested_hours=hours_ago - 1) is False
    writer.query(change.format("- 1", f"timestamp '{hour}'"))
    assert is_found_wrong(own) is False


def is_found_wrong(own: Lakehouse, **variables: int) -> bool:
    """Whether dbt finds that the mart of revenue differs from a full refresh."""
    chosen = "revenue_hourly,test_name:equals_full_refresh"
    return run_dbt(own, "test", "--select", chosen, "--vars", json.dumps(variables)) != 0


@pytest.mark.thorough
def test_dbt_finds_wrong_rows_of_the_stream_only_within_the_tested_hours(
    own: Lakehouse, writer: TrinoClient, capfd: pytest.CaptureFixture[str]
) -> None:
    """The wrong rows are in the first of several slices."""
    click_age, partition, offset = read_oldest(
        writer,
        "raw.clickstream where event_type = 'click'",
        ["occurred_at", "kafka_partition", "kafka_offset"],
    )
    answer_age, checkout_id = read_oldest(
        writer, "attribution.attributed_checkouts", ["checked_out_at", "checkout_id"]
    )
    [[events]] = writer.query("select count(*) from raw.clickstream")

    def find_wrong(tested_hours: int) -> set[str]:
        """The tests that fail."""
        variables = {"tested_hours": tested_hours, "slice_rows": events // SLICES}
        chosen = ("stg_lake__clicks", "stg_lake__attributed_checkouts")
        run_dbt(own, "test", "--select", *chosen, "--vars", json.dumps(variables))
        failed = r"FAIL \d+ (\w+_stg_lake__(?:clicks|attributed_checkouts))"
        return set(re.findall(failed, capfd.readouterr().out))

    wait_until(
        lambda: is_tested(writer, checkout_id),
        TESTED_SECONDS,
        "an answer to be old enough for dbt's tests",
    )
    click = f"kafka_partition = {partition} and kafka_offset = {offset}"
    answer = f"checkout_id = '{checkout_id}'"
    with (
        doubled(writer, "raw.clickstream", click),
        doubled(writer, "attribution.attributed_checkouts", answer),
        lost(writer, "raw.checkouts", answer),
    ):
        assert find_wrong(max(click_age, answer_age)) == {
            "unique_together_stg_lake__clicks",
            "unique_together_stg_lake__attributed_checkouts",
            "has_origin_stg_lake__attributed_checkouts",
        }
        assert find_wrong(min(click_age, answer_age) - 1) == set()


def read_oldest(writer: TrinoClient, table: str, columns: list[str]) -> tuple[Any, ...]:
    """The oldest row by its first column: its age in hours, and the other columns."""
    time_column, *others = columns
    [[age, *values]] = writer.query(
        f"select date_diff('hour', date_trunc('hour', {time_column}), date_trunc('hour', now())),"
        f" {', '.join(others)} from {table} order by {', '.join(columns)} limit 1"
    )
    assert age > 1
    return age, *values


@contextmanager
def lost(writer: TrinoClient, table: str, row: str) -> Iterator[None]:
    """Remove the rows that match a condition; restore them at the end."""
    aside = set_aside(table)
    writer.query(f"create table {aside} as select * from {table} where {row}")
    writer.query(f"delete from {table} where {row}")
    try:
        yield
    finally:
        writer.query(f"insert into {table} select * from {aside}")
        writer.query(f"drop table {aside}")


def set_aside(table: str) -> str:
    """Name of the table that keeps the removed rows of another table."""
    return f"marts.set_aside_of_{table.replace('.', '_')}"


@contextmanager
def doubled(writer: TrinoClient, table: str, row: str) -> Iterator[None]:
    """Duplicate the row that matches a condition; restore it at the end."""
    with lost(writer, table, row):
        for _ in range(2):
            writer.query(f"insert into {table} select * from {set_aside(table)}")
        try:
            yield
        finally:
            writer.query(f"delete from {table} where {row}")


def read_longest_id(sent: Lake, writer: TrinoClient) -> str:
    """The longest id of an answered checkout, because dbt's output would cut a long value."""
    [[checkout_id]] = writer.query(
        "select checkout_id from attribution.attributed_checkouts"
        f" where {sent.read().is_at('checked_out_at')} order by length(checkout_id) desc, 1 limit 1"
    )
    return str(checkout_id)


def test_audit_fails_and_counts_lost_and_duplicate_rows(
    lakehouse: RunningLakehouse, sent: Lake, writer: TrinoClient
) -> None:
    checkout = f"checkout_id = '{read_longest_id(sent, writer)}'"
    at = max(at for at in sent.read().raw if at.topic == sent.topics.clickstream)
    message = f"kafka_partition = {at.partition} and kafka_offset = {at.offset}"
    with (
        lost(writer, "raw.clickstream", message),
        lost(writer, "marts.attributed_checkouts", f"checkout_id = '{late_checkout(sent)}'"),
        doubled(writer, "attribution.attributed_checkouts", checkout),
        pytest.raises(AssertionError, match="It does not add up: 2 missing, 1 too many"),
    ):
        lakehouse.audit()
    assert make_audit(lakehouse)["holds"] is True


def is_tested(writer: TrinoClient, checkout_id: str) -> bool:
    """Whether staging's data tests check this answer; they exclude the last minute."""
    return bool(
        writer.query(
            f"select 1 from attribution.attributed_checkouts where checkout_id = '{checkout_id}'"
            " and attributed_at < current_timestamp - interval '1' minute"
        )
    )


@pytest.mark.thorough
def test_failed_data_test_names_the_rows(
    lakehouse: RunningLakehouse, sent: Lake, writer: TrinoClient
) -> None:
    checkout_id = read_longest_id(sent, writer)
    wait_until(
        lambda: is_tested(writer, checkout_id),
        TESTED_SECONDS,
        "an answer to be old enough for dbt's tests",
    )
    with (
        doubled(writer, "attribution.attributed_checkouts", f"checkout_id = '{checkout_id}'"),
        pytest.raises(
            AssertionError, match="unique_together_stg_lake__attributed_checkouts"
        ) as failed,
    ):
        lakehouse.build_marts()
    assert checkout_id in str(failed.value)
