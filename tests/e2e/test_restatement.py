"""Restatement: with late rows included, the mart has the oracle's answers for the complete data.

The crafted traffic contains random late rows and all kinds of disorder. Later messages are hours
late; they show that a build writes only the rows they affect.
"""

import re
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg2
import pytest

from configuration import REPOSITORY
from configuration.waiting import wait_until
from reference import oracle
from reference.events import make_checkout, make_click
from reference.oracle import AttributedCheckout, Position, Touchpoint, Valid
from tests.support.clients import log_in
from tests.support.lake import COMMIT_SECONDS, HOUR_MS, Lake, Snapshot, attributed_row
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt, distinct_checkouts
from tests.support.stretches import Stretches
from tests.support.traffic import SECOND_MS, Traffic, outgoing

MART = "marts.attributed_checkouts"
SEED = 1
USERS = 500
REASONS = {"late checkout", "late click", "too many clicks"}
# Hours at the beginning of the stretch, before its traffic. Only a lonely checkout is dated there.
EMPTY_HOURS = 6
# Marts that split an hour's checkouts: columns for the hour, the part, and the count.
PARTS = {
    "customer_gender_hourly": ("event_hour", "gender", "checkout_count"),
    "category_popularity_hourly": ("event_hour", "category", "checkout_count"),
    "source_performance_hourly": ("event_hour", "source", "credited_checkout_count"),
}
# Marts that keep their history, and the view that computes each from scratch.
HISTORIES = {
    file.stem: view
    for file in sorted((REPOSITORY / "dbt/models/marts").glob("*.yml"))
    for view in re.findall(r"full_refresh: ref\('(\w+)'\)", file.read_text())
}


class Attempt(NamedTuple):
    """An attempt to pay for a line of a checkout."""

    user_id: int
    checkout_id: str
    product_id: int
    at_ms: int


class Restated(NamedTuple):
    """A row of the mart: the answer, what the stream reported, and why they differ."""

    answer: AttributedCheckout
    reported_count: int | None
    reported_click: tuple[str | None, str | None, datetime | None]
    is_late: bool
    reason: str | None


@pytest.fixture(scope="module")
def lake(stretches: Stretches) -> Lake:
    """A stretch of history that begins with empty hours."""
    lake = stretches.history()
    lake.now_ms += EMPTY_HOURS * HOUR_MS
    return lake


@pytest.fixture(scope="module")
def traffic(lake: Lake) -> Traffic:
    """Adversarial traffic; the eager user has one checkout, on time."""
    return lake.traffic(SEED)


@pytest.fixture(scope="module")
def checkout_id(traffic: Traffic) -> str:
    """The eager user's checkout: more clicks lead to it than a row shows."""
    return f"{traffic.eager_user}/o"


@pytest.fixture(scope="module")
def snapshot(lake: Lake, traffic: Traffic, dbt_on_lake: RunDbt) -> Snapshot:
    """What the lake held when its mart was built; one of the checkouts is certainly late."""
    lake.send(traffic.messages(USERS))
    nobody = traffic.eager_user - 1
    late = make_checkout(f"{nobody}/late", nobody, lake.zero_ms + HOUR_MS)
    lake.kafka.send([outgoing(lake.topics.checkouts, late, 0)])
    wait_for_row(lake, f"raw.checkouts where checkout_id = '{late['checkout_id']}' and is_late")
    dbt_on_lake("run", "attributed_checkouts")
    return lake.read()


@pytest.fixture(scope="module")
def mart(lake: Lake, snapshot: Snapshot) -> dict[Attempt, Restated]:
    """The mart by attempt."""
    assert snapshot.late
    return read_mart(lake)


def read_mart(lake: Lake) -> dict[Attempt, Restated]:
    """The mart's rows of the stretch, by attempt."""
    rows = lake.trino.query(
        f"""
        select
            reported_touchpoint_count, reported_click_id, reported_source, reported_clicked_at,
            is_late, is_restated, restatement_reason,
            checkout_id, user_id, product_id, quantity,
            total_usd, profit_usd, payment_method, payment_status, failure_reason,
            checked_out_at, touchpoints, touchpoint_count,
            click_id, product_id, source, campaign, clicked_at, null as other_attempt_at
        from {MART}
        where checked_out_at >= from_unixtime({lake.zero_ms} / 1e3, 'UTC')
        """
    )
    restated = {}
    for count, click_id, source, clicked_at, is_late, is_restated, reason, *columns in rows:
        assert is_restated == (reason is not None), columns
        answer = attributed_row(columns)
        click = (click_id, source, clicked_at)
        restated[attempt_of(answer)] = Restated(answer, count, click, is_late, reason)
    assert len(restated) == len(rows), "some attempt has more than one row"
    return restated


def attempt_of(row: AttributedCheckout) -> Attempt:
    return Attempt(row.user_id, row.checkout_id, row.product_id, row.checked_out_at_ms)


def attempt_in(message: Valid) -> Attempt:
    return Attempt(*oracle.line_of(message), message.occurred_at_ms)


def only_row(rows: dict[Attempt, Restated], checkout_id: str) -> Restated:
    """The row of a checkout with one line and one attempt."""
    [row] = [row for attempt, row in rows.items() if attempt.checkout_id == checkout_id]
    return row


def named(row: AttributedCheckout) -> AttributedCheckout:
    """The row as in marts: with `unknown` for a missing source or campaign."""
    return row._replace(
        other_attempt_at_ms=None,
        touchpoints=tuple(map(_named, row.touchpoints)),
        click=row.click and _named(row.click),
    )


def _named(click: Touchpoint) -> Touchpoint:
    source = "unknown" if click.source is None else click.source
    campaign = "unknown" if click.campaign is None else click.campaign
    return click._replace(source=source, campaign=campaign)


def test_mart_has_the_oracles_answers_for_the_complete_data(
    snapshot: Snapshot, mart: dict[Attempt, Restated], lake: Lake
) -> None:
    valid = snapshot.valid.values()
    complete = oracle.attribute(list(valid), [], lake.topics, lake.pipeline.attribution)
    answers = {attempt_of(row): named(row) for row in complete}
    counted = [attempt_in(row) for row in distinct_checkouts(snapshot, lake)]
    assert len(counted) < len(answers), "no attempt was followed by another one"
    expected = {attempt: answers[attempt] for attempt in counted}
    held = {attempt: row.answer for attempt, row in mart.items()}
    differing = [each for each in expected | held if expected.get(each) != held.get(each)]
    assert [(held.get(each), expected.get(each)) for each in differing[:3]] == []


def test_mart_keeps_the_streams_answer_beside_the_restated_one(
    snapshot: Snapshot, mart: dict[Attempt, Restated]
) -> None:
    reported = {attempt_of(answer): named(answer) for answer in snapshot.attributed}
    for attempt, row in mart.items():
        answer = reported.get(attempt)
        if answer:
            click_id = answer.click and answer.click.click_id
            assert (row.reported_count, row.reported_click[0]) == (
                answer.touchpoint_count,
                click_id,
            )
        else:
            assert row.is_late
            assert (row.reported_count, row.reported_click) == (None, (None, None, None))
        has_changed = not answer or path_of(answer) != path_of(row.answer)
        assert (row.reason is not None) == has_changed, row
    assert {row.reason for row in mart.values()} == {None, *REASONS}


def path_of(row: AttributedCheckout) -> tuple[Any, ...]:
    """The part of an answer that depends on the clicks."""
    return row.touchpoints, row.touchpoint_count, row.click


def count_snapshots(lake: Lake) -> int:
    """Number of commits to the mart so far."""
    [[count]] = lake.trino.query('select count(*) from marts."attributed_checkouts$snapshots"')
    return int(count)


def test_build_adds_no_snapshot_when_there_are_no_new_rows(
    dbt_on_lake: RunDbt, lake: Lake, snapshot: Snapshot
) -> None:
    assert snapshot.attributed
    before = count_snapshots(lake)
    dbt_on_lake("run", "attributed_checkouts")
    assert count_snapshots(lake) == before


def differences_to_full_refresh(lake: Lake, name: str) -> list[Any]:
    """Rows that only the mart or only its full refresh has."""
    history, view = f"marts.{name}", f"staging.{HISTORIES[name]}"
    return lake.trino.query(
        f"""
        (select 'mart', * from {history} except select 'mart', * from {view})
        union all
        (select 'view', * from {view} except select 'view', * from {history})
        """
    )


class Build(NamedTuple):
    """What a build changed: rows by attempt before and after, and the hours in new files."""

    began_at: str
    before: dict[Attempt, Restated]
    after: dict[Attempt, Restated]
    hours: set[datetime]

    @property
    def changed(self) -> set[str]:
        """Ids of checkouts whose row changed or is new."""
        return {
            each.checkout_id for each in self.after if self.after[each] != self.before.get(each)
        }


@pytest.fixture(scope="module")
def after_late_click(
    dbt_on_lake: RunDbt, lake: Lake, mart: dict[Attempt, Restated], checkout_id: str
) -> Build:
    """The build after an hours-late click on a checkout's product, exactly one lookback before."""
    checkout = only_row(mart, checkout_id).answer
    lookback_ms = lake.pipeline.attribution.lookback_seconds * SECOND_MS
    click = make_click(
        late_click_of(checkout_id),
        checkout.user_id,
        checkout.checked_out_at_ms - lookback_ms,
        product_id=checkout.product_id,
    )
    began_at = read_time(lake)
    lake.kafka.send([outgoing(lake.topics.clickstream, click, 0)])
    wait_for_row(
        lake, f"raw.clickstream where event_id = '{late_click_of(checkout_id)}' and is_late"
    )
    dbt_on_lake("run", "attributed_checkouts")
    return Build(began_at, mart, read_mart(lake), read_written_hours(lake, began_at))


def late_click_of(checkout_id: str) -> str:
    """Id of the hours-late click."""
    return f"{checkout_id} hours late"


def read_time(lake: Lake) -> str:
    [[now]] = lake.trino.query("select cast(current_timestamp as varchar)")
    return str(now)


def wait_for_row(lake: Lake, rows: str) -> None:
    wait_until(
        lambda: bool(lake.trino.query(f"select 1 from {rows}")),
        COMMIT_SECONDS,
        f"a row of {rows}",
    )


def read_written_hours(lake: Lake, since: str) -> set[datetime]:
    """Hours of the mart's rows in files written since then."""
    return {
        hour
        for (hour,) in lake.trino.query(
            f"""
            select distinct date_trunc('hour', checked_out_at)
            from {MART}
            where "$file_modified_time" >= timestamp '{since}'
            """
        )
    }


def hour_of(restated: Restated) -> datetime:
    at = datetime.fromtimestamp(restated.answer.checked_out_at_ms / 1e3, UTC)
    return at.replace(minute=0, second=0, microsecond=0)


def test_build_changes_only_the_affected_checkout_after_an_hours_late_click(
    after_late_click: Build, lake: Lake, checkout_id: str
) -> None:
    assert after_late_click.changed == {checkout_id}
    was = only_row(after_late_click.before, checkout_id)
    now = only_row(after_late_click.after, checkout_id)
    assert after_late_click.hours == {hour_of(now)}
    assert now.answer.click is not None
    assert now.answer.click.click_id == late_click_of(checkout_id)
    assert now.answer.touchpoint_count == was.answer.touchpoint_count + 1
    assert (now.reported_click, now.reported_count) == (was.reported_click, was.reported_count)
    assert now.reason == "late click"
    assert differences_to_full_refresh(lake, "attributed_checkouts") == []


def test_time_travel_shows_the_answers_from_before_a_restatement(
    after_late_click: Build, lake: Lake, snapshot: Snapshot, checkout_id: str
) -> None:
    then = f"for timestamp as of timestamp '{after_late_click.began_at}'"
    [[click_id]] = lake.trino.query(
        f"select click_id from {MART} {then} where checkout_id = '{checkout_id}'"
    )
    earner = only_row(after_late_click.before, checkout_id).answer.click
    assert earner is not None
    assert click_id == earner.click_id
    [[reported]] = lake.trino.query(
        f"select count(*) from attribution.attributed_checkouts {then}"
        f" where checked_out_at >= from_unixtime({lake.zero_ms} / 1e3, 'UTC')"
    )
    assert reported == snapshot.attributed.total()


class Lonely(NamedTuple):
    """A late checkout, alone in its hour; its user, product and click are unknown at first."""

    checkout_id: str
    user_id: int
    product_id: int
    at_ms: int


@pytest.fixture(scope="module")
def lonely(dbt_on_lake: RunDbt, lake: Lake, traffic: Traffic, after_late_click: Build) -> Lonely:
    """A checkout of the eager user on its own product; the shop's tables have neither."""
    assert after_late_click.changed
    user_id = traffic.eager_user
    lonely = Lonely(f"{user_id}/lonely", user_id, user_id, lake.zero_ms + HOUR_MS // 2)
    checkout = make_checkout(
        lonely.checkout_id, lonely.user_id, lonely.at_ms, product_id=lonely.product_id
    )
    lake.kafka.send([outgoing(lake.topics.checkouts, checkout, 0)])
    wait_for_row(lake, f"raw.checkouts where checkout_id = '{lonely.checkout_id}' and is_late")
    dbt_on_lake("run", "attributed_checkouts", *PARTS)
    return lonely


@pytest.fixture(scope="module")
def lonely_hour(lake: Lake, lonely: Lonely) -> dict[str, list[Any]]:
    """What the marts say about its hour before user, product and click are known."""
    return read_parts(lake, lonely.at_ms)


def read_parts(lake: Lake, at_ms: int) -> dict[str, list[Any]]:
    """The parts into which each mart splits the hour's checkouts, with counts."""
    return {
        mart: lake.trino.query(
            f"""
            select distinct {part}, cast({count} as bigint)
            from marts.{mart}
            where {hour} = date_trunc('hour', from_unixtime({at_ms} / 1e3, 'UTC'))
            """
        )
        for mart, (hour, part, count) in PARTS.items()
    }


@pytest.fixture(scope="module")
def after_sign_up(
    lakehouse: RunningLakehouse,
    lake: Lake,
    dbt_on_lake: RunDbt,
    lonely: Lonely,
    lonely_hour: dict[str, list[Any]],
) -> Build:
    """The build after the shop got the user and product of old checkouts, and a late click came."""
    assert lonely_hour
    before, began_at = read_mart(lake), read_time(lake)
    with (
        closing(psycopg2.connect(**log_in(lakehouse, "shop", "shop"))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        now = datetime.now(UTC)
        cursor.execute(
            "insert into users"
            " (user_id, full_name, gender, birth_date, country, created_at, updated_at)"
            " values (%s, 'Eager Ada', 'female', '1990-01-01', 'Peru', %s, %s)",
            [lonely.user_id, now, now],
        )
        cursor.execute(
            "insert into products"
            " (product_id, product_name, category, unit_price_usd, unit_cost_usd, updated_at)"
            " values (%s, 'Blue Mauritius', 'stamps', 9, 1, %s)",
            [lonely.product_id, now],
        )
    click_id = f"of {lonely.checkout_id}"
    click = make_click(click_id, lonely.user_id, lonely.at_ms, product_id=lonely.product_id)
    lake.kafka.send([outgoing(lake.topics.clickstream, click, 0)])
    wait_for_row(lake, f"raw.users_changes where user_id = {lonely.user_id}")
    wait_for_row(lake, f"raw.products_changes where product_id = {lonely.product_id}")
    wait_for_row(lake, f"raw.clickstream where event_id = '{click_id}' and is_late")
    dbt_on_lake("run", "dim_users", "dim_products", "attributed_checkouts", *PARTS)
    return Build(began_at, before, read_mart(lake), read_written_hours(lake, began_at))


@pytest.mark.thorough
def test_old_hours_are_restated_when_a_dimension_gets_their_user(
    after_sign_up: Build, lake: Lake, lonely: Lonely, checkout_id: str
) -> None:
    [[name, gender]] = lake.trino.query(
        f"select user_name, gender from {MART} where checkout_id = '{checkout_id}'"
    )
    assert (name, gender) == ("Eager Ada", "female")
    assert after_sign_up.changed == {lonely.checkout_id}, "a name must not change an answer"
    rows = after_sign_up.after
    assert after_sign_up.hours == {
        hour_of(only_row(rows, checkout_id)),
        hour_of(only_row(rows, lonely.checkout_id)),
    }


@pytest.mark.thorough
def test_old_part_of_an_hour_disappears_when_its_checkouts_move_to_another_part(
    lonely: Lonely, lonely_hour: dict[str, list[Any]], after_sign_up: Build, lake: Lake
) -> None:
    assert only_row(after_sign_up.after, lonely.checkout_id).reason == "late checkout"
    assert lonely_hour == {
        "customer_gender_hourly": [("unknown", 1)],
        "category_popularity_hourly": [("unknown", 1)],
        "source_performance_hourly": [("unattributed", 1)],
    }
    assert read_parts(lake, lonely.at_ms) == {
        "customer_gender_hourly": [("female", 1)],
        "category_popularity_hourly": [("stamps", 1)],
        "source_performance_hourly": [("search", 1)],
    }


@pytest.fixture(scope="module")
def built_in_steps(
    lakehouse: RunningLakehouse, lake: Lake, lonely: Lonely, after_sign_up: Build
) -> None:
    """Build every mart before and after an hours-late click and an hours-late checkout."""
    assert after_sign_up.changed
    lakehouse.refresh_marts()
    user_id, product_id = lonely.user_id, lonely.product_id
    click = make_click(f"{user_id} in steps", user_id, lonely.at_ms, product_id=product_id)
    checkout = make_checkout(f"{user_id}/in steps", user_id, lonely.at_ms, product_id=product_id)
    lake.kafka.send(
        [
            outgoing(lake.topics.clickstream, click, 0),
            outgoing(lake.topics.checkouts, checkout, 0),
        ]
    )
    wait_for_row(lake, f"raw.clickstream where event_id = '{click['event_id']}' and is_late")
    wait_for_row(lake, f"raw.checkouts where checkout_id = '{checkout['checkout_id']}' and is_late")
    lakehouse.refresh_marts()


@pytest.mark.thorough
@pytest.mark.parametrize("history", ["attributed_checkouts", *PARTS])
def test_mart_equals_a_full_refresh_after_a_dimension_changed(
    lake: Lake, after_sign_up: Build, history: str
) -> None:
    assert after_sign_up.changed
    assert differences_to_full_refresh(lake, history) == []


@pytest.mark.thorough
@pytest.mark.usefixtures("built_in_steps")
@pytest.mark.parametrize("history", HISTORIES)
def test_mart_equals_a_full_refresh_after_incremental_builds(lake: Lake, history: str) -> None:
    assert differences_to_full_refresh(lake, history) == []


def test_mart_flags_exactly_the_late_checkouts(
    snapshot: Snapshot, mart: dict[Attempt, Restated], lake: Lake
) -> None:
    late: set[Position] = snapshot.late
    expected = {
        attempt_in(row) for row in distinct_checkouts(snapshot, lake) if row.position in late
    }
    assert expected
    assert {attempt for attempt, row in mart.items() if row.is_late} == expected
