"""What readers get: marts that add up, queries that run, and no more than they may have."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
import requests
from trino.exceptions import TrinoUserError

from infra.secrets import load_secrets
from infra.settings import REPOSITORY
from tests import oracle
from tests.e2e.clients import Trino
from tests.e2e.conftest import Run
from tests.e2e.lake import Lake, Lakehouse, Snapshot
from tests.oracle import Valid

HOUR_MS = 3_600_000
QUERIES = sorted((REPOSITORY / "trino/queries").glob("*.sql"))


@pytest.fixture(scope="module")
def snapshot(crafted: Lake, produced: Run, lakehouse: Lakehouse) -> Snapshot:
    """What the lake held when the marts were built."""
    assert produced.summary["messages"]
    lakehouse.make("marts")
    return crafted.read()


def test_revenue_is_the_sum_of_the_checkouts_when_the_marts_are_built(
    snapshot: Snapshot, lake: Lake
) -> None:
    hours: dict[int, dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    for row in distinct_checkouts(snapshot, lake):
        hour = hours[row.occurred_at_ms // HOUR_MS]
        is_paid = row.fields["payment_status"] == "succeeded"
        hour["checkout_count"] += 1
        hour["paid_checkout_count"] += is_paid
        hour["late_checkout_count"] += row.position in snapshot.late
        hour["unit_count"] += row.fields["quantity"] * is_paid
        hour["revenue_usd"] += oracle.total_usd(row.fields) * is_paid
        hour["profit_usd"] += oracle.profit_usd(row.fields) * is_paid
        hour["lost_revenue_usd"] += oracle.total_usd(row.fields) * (not is_paid)
    columns = list(next(iter(hours.values())))
    in_mart = read_mart(lake, "revenue_hourly", ["checkout_hour"], columns)
    assert in_mart == {
        (hour,): [values[column] for column in columns] for hour, values in hours.items()
    }


def test_failures_are_those_of_the_checkouts_when_the_marts_are_built(
    snapshot: Snapshot, lake: Lake
) -> None:
    failures: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    for row in distinct_checkouts(snapshot, lake):
        if row.fields["payment_status"] == "failed":
            method, reason = row.fields["payment_method"], row.fields["failure_reason"]
            totals = failures[row.occurred_at_ms // HOUR_MS, method, reason or "unknown"]
            totals[0] += 1
            totals[1] += oracle.total_usd(row.fields)
    assert failures == read_mart(
        lake,
        "payment_failures_hourly",
        ["checkout_hour", "payment_method", "failure_reason"],
        ["failed_checkout_count", "lost_revenue_usd"],
    )


def test_sources_earn_what_the_stream_attributed_when_the_marts_are_built(
    snapshot: Snapshot, lake: Lake
) -> None:
    earned: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    for row in snapshot.attributed.elements():
        source = "unattributed" if row.click is None else row.click.source or "unknown"
        totals = earned[row.checked_out_at_ms // HOUR_MS, source]
        totals[0] += 1
        totals[1] += row.profit_usd * (row.payment_status == "succeeded")
    in_mart = read_mart(
        lake,
        "source_performance_hourly",
        ["activity_hour", "source"],
        ["checkout_count", "profit_usd"],
    )
    assert earned == {key: totals for key, totals in in_mart.items() if totals[0]}


def distinct_checkouts(snapshot: Snapshot, lake: Lake) -> list[Valid]:
    """One message of each checkout_id: the earliest by event time, then the first in Kafka."""
    checkouts: dict[str, Valid] = {}
    rows = [row for at, row in snapshot.valid.items() if at.topic == lake.topics.checkouts]
    for row in sorted(rows, key=lambda row: (row.occurred_at_ms, row.position)):
        checkouts.setdefault(row.fields["checkout_id"], row)
    return list(checkouts.values())


def read_mart(
    lake: Lake, mart: str, key: list[str], columns: list[str]
) -> dict[tuple[Any, ...], list[Decimal]]:
    """Numbers by key, the hour as hours since 1970."""
    hour, *others = key
    rows = lake.trino.query(
        f"select to_unixtime({hour}) / 3600, {', '.join(others + columns)} from marts.{mart}"
    )
    return {
        (int(row[0]), *row[1 : len(key)]): [Decimal(value) for value in row[len(key) :]]
        for row in rows
    }


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_example_query_has_rows_when_there_was_traffic(
    file: Any, snapshot: Snapshot, lake: Lake
) -> None:
    assert snapshot.attributed
    assert lake.trino.query(file.read_text().strip().removesuffix(";"))


def test_prompt_answers_when_it_is_given_a_file(lakehouse: Lakehouse, snapshot: Snapshot) -> None:
    assert snapshot.attributed
    shown = lakehouse.make("-s", "sql", f"QUERY={QUERIES[0].relative_to(REPOSITORY)}").stdout
    assert "|" in shown, shown


@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_trino_refuses_when_the_password_is_not_right(
    lakehouse: Lakehouse, password: str | None
) -> None:
    environment = lakehouse.environment
    user = environment["TRINO_USER"]
    reply = requests.post(
        f"{environment['TRINO_URL']}/v1/statement",
        data="select 1",
        headers={"X-Trino-User": user},
        auth=None if password is None else (user, password),
        verify=environment["TRINO_CA_FILE"],
        timeout=30,
    )
    assert reply.status_code == requests.codes.unauthorized


@pytest.mark.parametrize(
    "statement",
    [
        "create table lake.raw.mine (a int)",
        "insert into lake.raw.quarantine select * from lake.raw.quarantine",
        "delete from lake.attribution.attributed_checkouts",
        "update lake.raw.checkouts set quantity = 2",
        "drop table lake.raw.clickstream",
        "create schema lake.mine",
        "create view lake.marts.mine as select 1 as a",
        "alter table lake.raw.clickstream execute optimize",
        "alter table lake.raw.clickstream execute expire_snapshots(retention_threshold => '7d')",
        "alter table lake.raw.clickstream execute rollback_to_snapshot(1)",
        "call lake.system.unregister_table('raw', 'clickstream')",
    ],
)
def test_analyst_is_refused_when_a_statement_would_write(lake: Lake, statement: str) -> None:
    # The resource groups admit readers' statements alone, before any access rule is asked.
    with pytest.raises(TrinoUserError, match="QUERY_REJECTED"):
        lake.trino.query(statement)


def test_dashboard_user_sees_marts_alone_when_it_looks_around(
    lakehouse: Lakehouse, snapshot: Snapshot
) -> None:
    assert snapshot.attributed
    password = load_secrets(lakehouse.settings).trino_dashboard_password
    dashboard = Trino(lakehouse.environment, TRINO_USER="dashboard", TRINO_PASSWORD=password)
    assert dashboard.query("select * from lake.marts.revenue_hourly")
    for table in ("raw.checkouts", "attribution.attributed_checkouts", "staging.stg_lake__clicks"):
        with pytest.raises(TrinoUserError, match="Access Denied"):
            dashboard.query(f"select 1 from lake.{table}")
