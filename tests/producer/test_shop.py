"""The shop is realistic: visitors, checkouts, rates, prices and books."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import takewhile

import pytest

from producer.catalogue import CAMPAIGNS, FAILURE_REASONS, PRODUCTS
from producer.messages import Fate
from producer.plan import Plan
from producer.shop import CLICK_SHARE, DAY_MS, HOUR_MS, Shop, diurnal_factor
from producer.traffic import events, shop_of
from tests.support.sample_run import START_MS, SampleRun


@pytest.fixture(scope="module")
def shop(plan: Plan) -> Shop:
    return shop_of(plan)


def event_count(plan: Plan, shop: Shop, seconds: float) -> int:
    end_ms = plan.start_ms + seconds * 1000
    return sum(
        1 for _ in takewhile(lambda draft: draft.occurred_at_ms < end_ms, events(plan, shop))
    )


# --- Sessions ------------------------------------------------------------------------------


def test_a_fifth_of_checkouts_is_by_customers_without_clicks(run: SampleRun) -> None:
    clicks = run.bodies(run.plan.clickstream_topic)
    clicking = {body["user_id"] for body in clicks if body["event_type"] == "click"}
    checkouts = run.bodies(run.plan.checkouts_topic)
    lone = sum(body["user_id"] not in clicking for body in checkouts)
    assert lone / len(checkouts) == pytest.approx(0.2, abs=0.06)


def test_only_clicks_have_a_source(run: SampleRun) -> None:
    known = {(campaign.source, campaign.campaign) for campaign in CAMPAIGNS}
    for body in run.bodies(run.plan.clickstream_topic):
        pair = (body["source"], body["campaign"])
        assert pair in (known if body["event_type"] == "click" else {(None, None)})


def test_every_event_type_occurs(run: SampleRun) -> None:
    types = {body["event_type"] for body in run.bodies(run.plan.clickstream_topic)}
    assert types == set(run.pipeline.contract.event_types)


def test_many_sessions_click_on_several_products(run: SampleRun) -> None:
    products = defaultdict(set)
    for body in run.bodies(run.plan.clickstream_topic):
        if body["event_type"] == "click":
            products[body["session_id"]].add(body["product_id"])
    several = sum(len(clicked) > 1 for clicked in products.values())
    assert several / len(products) > 0.25


def test_some_sessions_buy_a_product_twice(run: SampleRun) -> None:
    bought = Counter(
        (body["session_id"], body["product_id"])
        for body in run.bodies(run.plan.checkouts_topic)
        if body["payment_status"] == "succeeded"
    )
    assert sum(number > 1 for number in bought.values()) > 20


def test_payments_fail_as_often_as_the_setting_says(
    run: SampleRun,
) -> None:
    checkouts = run.bodies(run.plan.checkouts_topic)
    failed = [body for body in checkouts if body["payment_status"] == "failed"]
    assert len(failed) / len(checkouts) == pytest.approx(run.plan.failed_payment_share, abs=0.03)
    assert {body["failure_reason"] for body in failed} == set(FAILURE_REASONS)
    methods = {body["payment_method"] for body in checkouts}
    assert methods == set(run.pipeline.contract.payment_methods)
    assert all(
        (body["failure_reason"] is None) == (body["payment_status"] == "succeeded")
        for body in checkouts
    )


def test_click_share_matches_the_one_that_ad_spend_assumes(run: SampleRun) -> None:
    bodies = run.bodies(run.plan.clickstream_topic)
    clicks = sum(body["event_type"] == "click" for body in bodies)
    valid = len(bodies) + len(run.bodies(run.plan.checkouts_topic))
    assert clicks / valid == pytest.approx(CLICK_SHARE, rel=0.05)


# --- Traffic -------------------------------------------------------------------------------


def test_diurnal_factor_averages_to_one() -> None:
    minutes = range(0, DAY_MS, 60_000)
    mean = sum(diurnal_factor(at_ms) for at_ms in minutes) / len(minutes)
    assert mean == pytest.approx(1)


@pytest.mark.parametrize(("hour", "factor"), [(2, 1), (8, 0.4), (14, 1), (20, 1.6)])
def test_rate_follows_the_hour_of_the_day(plan: Plan, shop: Shop, hour: int, factor: float) -> None:
    start_ms = START_MS // DAY_MS * DAY_MS + hour * HOUR_MS - 240_000
    at_hour = replace(plan, rate=50, start_ms=start_ms, duplicate_share=0)
    assert event_count(at_hour, shop, 480) / 480 == pytest.approx(50 * factor, rel=0.06)


@pytest.mark.parametrize(("rate", "users"), [(20, 2000), (5_000, 50)])
def test_shop_has_its_full_rate_from_the_start(
    plan: Plan, shop: Shop, rate: int, users: int
) -> None:
    crowded = replace(plan, rate=rate, users=users, duplicate_share=0)
    seconds = 6_000 / rate
    found = event_count(crowded, shop, seconds) / seconds
    assert found == pytest.approx(rate * diurnal_factor(START_MS), rel=0.1)


# --- The books -----------------------------------------------------------------------------


def test_checkout_has_the_price_of_the_database(run: SampleRun, shop: Shop) -> None:
    for body in run.bodies(run.plan.checkouts_topic, Fate.IN_ORDER):
        prices = {
            row.product_id: row.unit_price_usd for row in shop.products(body["occurred_at_ms"])
        }
        assert body["unit_price_usd"] == prices[body["product_id"]]


def test_price_changes_stay_near_the_list_price_and_above_the_cost(shop: Shop) -> None:
    prices = defaultdict(set)
    for hour in range(24):
        for row in shop.products(START_MS + hour * HOUR_MS):
            prices[row.product_id].add(row.unit_price_usd)
            assert row.unit_price_usd > row.unit_cost_usd
    for product in PRODUCTS:
        listed = product.list_price_cents / 100
        assert len(prices[product.product_id]) > 12
        assert all(abs(price / listed - 1) < 0.101 for price in prices[product.product_id])


@pytest.mark.parametrize("minutes", [0, 1, 7, 45, 3_000])
def test_changes_since_a_moment_are_complete(shop: Shop, minutes: int) -> None:
    later_ms = START_MS + minutes * 60_000
    users = {row.user_id: row for row in shop.users(START_MS)}
    users.update({row.user_id: row for row in shop.users(later_ms, START_MS)})
    assert list(users.values()) == list(shop.users(later_ms))
    products = {row.product_id: row for row in shop.products(START_MS)}
    products.update({row.product_id: row for row in shop.products(later_ms, START_MS)})
    assert list(products.values()) == list(shop.products(later_ms))


def test_users_move_during_a_day(shop: Shop) -> None:
    before = {row.user_id: row.country for row in shop.users(START_MS)}
    after = {row.user_id: row.country for row in shop.users(START_MS + DAY_MS)}
    moved = sum(before[user_id] != after[user_id] for user_id in before)
    assert 300 < moved < 900


def test_customers_do_not_depend_on_the_order_of_calls(plan: Plan, shop: Shop) -> None:
    fresh = shop_of(plan)
    backwards = {number: fresh.customers.customer(number) for number in range(60, 0, -1)}
    assert all(shop.customers.customer(number) == backwards[number] for number in backwards)


def test_ad_spend_grows_until_the_hour_ends(shop: Shop) -> None:
    hour_ms = START_MS // HOUR_MS * HOUR_MS
    spends = [
        next(shop.ad_spend(at_ms, hour_ms)).spend_usd
        for at_ms in range(hour_ms, hour_ms + HOUR_MS + 1, 60_000)
    ]
    assert spends == sorted(spends)
    assert spends[0] == 0
    assert len(set(spends)) == 61
    whole = list(shop.ad_spend(hour_ms + 5 * HOUR_MS, hour_ms))
    assert whole[0].spend_usd == spends[-1]
    assert len(whole) == 6 * len(CAMPAIGNS)
