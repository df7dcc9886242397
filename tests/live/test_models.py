"""Eight attribution models on the real lake: each gives every checkout's credit exactly once."""

import pytest

from attribution_models.learning import JOURNEYS, SLICES, copy_journeys, read_moves
from configuration.trino_client import connect_trino
from infra.services.marts import learn_weights
from infra.services.model import Lakehouse
from reference.events import make_click
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.shop import Shop
from tests.support.traffic import outgoing

SEED = 1
# More than learning tells apart.
RARE_SOURCES = 60
MODELS = {
    *("first_touch", "last_touch", "last_non_direct", "linear"),
    *("position_based", "time_decay", "markov", "shapley"),
}
# Marts that distribute money over touchpoints.
CREDITED = ("source_performance_hourly", "return_on_ad_spend_hourly")


@pytest.fixture(scope="module")
def built(shop: Shop, lake: Lake, own: Lakehouse, dbt_on_lake: RunDbt) -> Lake:
    """The lake, after its marts were built again with weights learnt from the last hour.

    In that hour, many users click once, each with a source of its own.
    """
    assert shop.last_hour.summary["messages"]
    last_user = lake.traffic(SEED).eager_user
    clicks = [
        make_click(f"rare {user_id}", user_id, lake.now_ms, source=f"rare {user_id}")
        for user_id in range(last_user - RARE_SOURCES + 1, last_user + 1)
    ]
    lake.send(outgoing(lake.topics.clickstream, click, 0) for click in clicks)
    learn_weights(own)
    dbt_on_lake("run", *CREDITED)
    return lake


def test_dbt_tests_hold_after_the_models_have_learnt(built: Lake, dbt_on_lake: RunDbt) -> None:
    assert built.trino.query("select 1 from marts.source_credit limit 1")
    dbt_on_lake("test", "int_touchpoint_credits", *CREDITED)


@pytest.mark.usefixtures("built")
def test_learnt_weights_of_an_older_lakehouse_get_partitions(own: Lakehouse) -> None:
    trino = connect_trino(own.settings, own.secrets)
    trino.query("alter table marts.source_credit set properties partitioning = array[]")
    learn_weights(own)
    [[definition]] = trino.query("show create table marts.source_credit")
    assert "partitioning = ARRAY['model']" in definition


def test_every_model_credits_exactly_the_whole_checkout(built: Lake) -> None:
    [[count]] = built.trino.query(
        "select count(*) from marts.attributed_checkouts where cardinality(touchpoints) > 0"
    )
    assert count > 0
    whole = built.trino.query(
        """
        select model, count_if(credit = 1), count_if(total_usd = money)
        from (
            select
                model, total_usd, sum(credit) as credit, sum(credited_total_usd) as money
            from staging.int_touchpoint_credits
            group by user_id, checkout_id, product_id, checked_out_at, model, total_usd
        )
        group by model
        """
    )
    assert {model: tuple(counts) for model, *counts in whole} == dict.fromkeys(
        MODELS, (count, count)
    )


def test_sources_add_up_to_the_hours_totals_in_every_model(built: Lake) -> None:
    hours = built.trino.query(
        "select event_hour, paid_checkout_count, revenue_usd, profit_usd from marts.revenue_hourly"
    )
    shared = built.trino.query(
        """
        select
            event_hour, model, sum(credited_paid_checkout_count), sum(revenue_usd),
            sum(profit_usd)
        from marts.source_performance_hourly
        group by event_hour, model
        having sum(credited_checkout_count) > 0
        """
    )
    assert {(hour, model): tuple(sums) for hour, model, *sums in shared} == {
        (hour, model): tuple(sums) for hour, *sums in hours for model in MODELS
    }


def test_first_touch_equals_the_streams_first_touchpoint_when_not_restated(
    built: Lake,
) -> None:
    reported = built.trino.query(
        """
        select checkout_id, product_id, checked_out_at, attributed.touchpoints[1].click_id
        from attribution.attributed_checkouts as attributed
        inner join marts.attributed_checkouts as restated
            using (user_id, checkout_id, product_id, checked_out_at)
        where
            not restated.is_restated
            and cardinality(attributed.touchpoints) > 0
        """
    )
    credited = built.trino.query(
        "select checkout_id, product_id, checked_out_at, click_id"
        " from staging.int_touchpoint_credits"
        " where model = 'first_touch' and credit = 1"
    )
    assert reported
    assert set(reported) <= set(credited)


def test_weights_are_learnt_once_and_shares_add_up_to_one(built: Lake) -> None:
    runs = built.trino.query(
        "select model, count(distinct run_id), sum(conversion_share) from marts.source_credit"
        " group by model"
    )
    assert {(model, count) for model, count, _ in runs} == {("markov", 1), ("shapley", 1)}
    assert [share for *_, share in runs] == pytest.approx([1, 1], abs=1e-9)


def test_rare_sources_share_one_weight(built: Lake) -> None:
    runs = built.trino.query(
        "select count(*), count_if(source = ' other '), count_if(source like 'rare %')"
        " from marts.source_credit group by model"
    )
    assert len(runs) == 2
    for sources, others, rare in runs:
        assert (sources, others) == (51, 1)
        assert 0 < rare < RARE_SOURCES


@pytest.mark.usefixtures("built")
def test_moves_read_in_slices_are_the_same_as_all_at_once(own: Lakehouse) -> None:
    """A statement reads a bounded number of clicks, so a busy day's are read in slices of users."""
    trino = connect_trino(own.settings, own.secrets)
    moves = []
    for slices in ([(0, SLICES - 1)], [(0, 99), (100, 199), (200, SLICES - 1)]):
        try:
            copy_journeys(trino, slices)
            moves.append(sorted(read_moves(trino, slices), key=str))
        finally:
            trino.query(f"drop table if exists {JOURNEYS}")
    assert moves[0] == moves[1] != []


def test_learning_and_building_again_writes_nothing(
    built: Lake, own: Lakehouse, dbt_on_lake: RunDbt
) -> None:
    def snapshots() -> list[list[tuple[int, ...]]]:
        return [
            built.trino.query(f'select snapshot_id from marts."{table}$snapshots"')
            for table in (*CREDITED, "source_credit")
        ]

    before = snapshots()
    learn_weights(own)
    dbt_on_lake("run", *CREDITED)
    assert snapshots() == before


def test_score_shows_each_model(built: Lake, shop: Shop, lakehouse: RunningLakehouse) -> None:
    assert built.trino.query("select 1 from staging.int_touchpoint_credits limit 1")
    shown = [line.split() for line in lakehouse.score(shop.last_hour.truth).splitlines()]
    scores = {line[0]: line[1:] for line in shown if line and line[0] in MODELS}
    assert scores.keys() == MODELS
    for count, on_cause, distance in scores.values():
        assert int(count.replace(",", "")) > 100
        assert 0 < float(on_cause.rstrip("%")) <= 100
        assert 0 <= float(distance) <= 2
