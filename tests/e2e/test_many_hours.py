"""Events of thousands of hours within one checkpoint: the job writes them, and the marts build."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from configuration.environment import dbt_environment
from configuration.trino_client import connect_trino
from infra.services.marts import run_dbt
from infra.services.model import Lakehouse
from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.lake import HOUR_MS, Lake, Snapshot
from tests.support.marts import RunDbt, explain_inputs
from tests.support.stretches import DAYS_OF_HISTORY
from tests.support.traffic import SECOND_MS, outgoing

SEED = 1
# Nothing else is dated in these years.
CLICKS_FROM_MS = int(datetime(2003, 1, 1, tzinfo=UTC).timestamp()) * SECOND_MS
SCATTERED_FROM_MS = int(datetime(2005, 1, 1, tzinfo=UTC).timestamp()) * SECOND_MS
CLICKED_HOURS = 8_000
BOUGHT_HOURS = 600
OLD_MS = int(datetime(2001, 2, 3, 10, 30, tzinfo=UTC).timestamp()) * SECOND_MS
SCATTERED = 1_000
HOURS_APART = 3


def clicks(lake: Lake, user_id: int) -> Iterator[Outgoing]:
    """A click in each of many hours."""
    for hour in range(CLICKED_HOURS):
        at_ms = CLICKS_FROM_MS + hour * HOUR_MS
        click = make_click(f"{user_id}/click {hour}", user_id, at_ms)
        yield outgoing(lake.topics.clickstream, click, hour % lake.topics.partitions)


def checkouts(lake: Lake, user_id: int) -> Iterator[Outgoing]:
    """Checkouts that a click earns, an hour apart, and checkouts without a click, hours apart."""
    earned = [CLICKS_FROM_MS + hour * HOUR_MS + SECOND_MS for hour in range(BOUGHT_HOURS)]
    scattered = [SCATTERED_FROM_MS + n * HOURS_APART * HOUR_MS for n in range(SCATTERED)]
    for number, at_ms in enumerate((*earned, *scattered)):
        checkout = make_checkout(f"{user_id}/{number}", user_id, at_ms)
        yield outgoing(lake.topics.checkouts, checkout, number % lake.topics.partitions)


@pytest.fixture(scope="module")
def user_id(lake: Lake) -> int:
    """The buyer."""
    return lake.traffic(SEED).eager_user


@pytest.fixture(scope="module")
def snapshot(lake: Lake, dbt_on_lake: RunDbt, user_id: int) -> Snapshot:
    """What the lake holds after these events; its marts are built from before and after them."""
    dbt_on_lake("run", "attributed_checkouts", "revenue_hourly")
    lake.send([*clicks(lake, user_id), *checkouts(lake, user_id)])
    dbt_on_lake("run", "attributed_checkouts", "revenue_hourly")
    return lake.read()


def test_job_writes_events_of_thousands_of_hours_without_a_restart(
    snapshot: Snapshot, lake: Lake
) -> None:
    snapshot.check()
    assert lake.failures() == []


def test_one_checkpoint_of_scattered_events_makes_few_files(
    snapshot: Snapshot, lake: Lake, user_id: int
) -> None:
    assert snapshot.valid
    [[files]] = lake.trino.query(
        f'select count(distinct "$path") from raw.clickstream where user_id = {user_id}'
    )
    assert files < CLICKED_HOURS / 100


def test_build_restates_hundreds_of_scattered_hours(
    snapshot: Snapshot, lake: Lake, user_id: int
) -> None:
    assert snapshot.valid
    rows = lake.trino.query(
        "select restatement_reason, is_attributed, count(*) from marts.attributed_checkouts"
        f" where user_id = {user_id} and event_hour < timestamp '2006-01-01 00:00:00 UTC'"
        " group by 1, 2"
    )
    assert sorted(map(tuple, rows)) == [
        ("late checkout", False, SCATTERED),
        ("late checkout", True, BOUGHT_HOURS),
    ]
    hours = lake.trino.query(
        "select checkout_count, count(*) from marts.revenue_hourly"
        " where event_hour >= timestamp '2003-01-01 00:00:00 UTC'"
        " and event_hour < timestamp '2006-01-01 00:00:00 UTC' group by 1"
    )
    assert [tuple(row) for row in hours] == [(1, BOUGHT_HOURS + SCATTERED)]


@pytest.mark.usefixtures("snapshot")
def test_build_computes_only_the_hours_that_something_touched(
    lake: Lake, own: Lakehouse, dbt_on_lake: RunDbt, user_id: int
) -> None:
    mart = "device_geo_hourly"
    dbt_on_lake("run", mart)
    click = make_click(f"{user_id}/old", user_id, OLD_MS, device="abacus")
    lake.send([outgoing(lake.topics.clickstream, click, 0)])
    # By default a build looks back some minutes, in which this file sent everything.
    no_overlap = ("--vars", "restatement_overlap_seconds: 0")
    assert run_dbt(own, "run", "--select", mart, *no_overlap) == 0
    ranges = computed_hours(own, mart)
    old = datetime(2001, 2, 3, 10, tzinfo=UTC)
    assert ranges[0] == (old, old + timedelta(hours=1))
    assert all(
        first >= datetime.now(UTC) - timedelta(days=DAYS_OF_HISTORY + 1) for first, _ in ranges[1:]
    )
    assert read_hours(lake, own, mart) == [first for first, _ in ranges]
    for constraints in merged_from(own, mart):
        assert starts_of_ranges(constraints, "event_hour") == [first for first, _ in ranges]
    [[count]] = lake.trino.query(
        f"select sum(click_count) from marts.{mart} where device = 'abacus'"
    )
    assert count == 1


def computed_hours(own: Lakehouse, mart: str) -> list[tuple[datetime, datetime]]:
    """The ranges of hours that the mart's last build named."""
    view, _ = compiled(own, mart).split("full outer join")
    pairs = re.findall(
        r">= timestamp '(\S+ \S+) UTC'.*?< timestamp '(\S+ \S+) UTC'", view, re.DOTALL
    )
    return [(as_time(first), as_time(end)) for first, end in pairs]


def read_hours(lake: Lake, own: Lakehouse, mart: str) -> list[datetime]:
    """Where the ranges of event time begin in which the last build looked for files."""
    view, _ = compiled(own, mart).split("full outer join")
    hours = view[: view.rindex(")\n\nselect")]
    inputs = explain_inputs(lake.trino, f"{hours}) select count(*) from hours")
    return sorted(
        start
        for table in inputs
        for start in starts_of_ranges(table["constraint"]["columnConstraints"], "occurred_at")
    )


def merged_from(own: Lakehouse, mart: str) -> list[Any]:
    """The constraints by which the last merge looked for the mart's own files, for each reading."""
    view = f'"{mart}__dbt_tmp"'  # dropped at the build's end
    merge = re.sub(rf"(\S+\.)?{view}", f"({compiled(own, mart)})", compiled(own, mart, "run"))
    inputs = explain_inputs(connect_trino(own.settings, own.secrets), merge)
    readings = [
        table["constraint"]["columnConstraints"]
        for table in inputs
        if table["table"]["schemaTable"]["table"] == mart
    ]
    assert len(readings) == 2, "the build compares with the mart, then merges into it"
    return readings


def starts_of_ranges(constraints: list[Any], column_name: str) -> list[datetime]:
    return [
        as_time(each["low"]["value"])
        for column in constraints
        if column["columnName"] == column_name
        for each in column["domain"]["ranges"]
    ]


def compiled(own: Lakehouse, mart: str, kind: str = "compiled") -> str:
    """The query of the mart's last build; of kind `run`, the statement around it."""
    target = Path(dbt_environment(own.settings, own.secrets)["DBT_TARGET_PATH"])
    [file] = (target / kind).rglob(f"{mart}.sql")
    return file.read_text()


def as_time(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(" UTC")).replace(tzinfo=UTC)
