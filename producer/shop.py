"""The shop's books at any moment: users, products and ad spend as pure functions of time.

Time is cut into slots of `change_interval_ms`. At the start of slot n, user n mod `users` moves
(perhaps back home) and product n mod `products` gets a new price. So the state depends only on
the moment: a restart continues where the shop would be by now, history can be filled in later,
and a checkout has the same price as the database.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import NamedTuple

from producer.catalogue import CAMPAIGNS, PRODUCTS, Campaign, Product
from producer.customers import COUNTRIES, CustomerBook

MOVED_SHARE = 0.3
# A price is within this share above or below the list price; it always stays above the cost.
PRICE_SWING_SHARE = 0.1
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# The rate is 1.6 times the mean at 20:00 UTC and 0.4 times at 08:00 UTC.
DIURNAL_SWING = 0.6
PEAK_MS = 20 * HOUR_MS
# Share of clicks among all messages, measured over 10,000 sessions; tests/producer/ checks it.
CLICK_SHARE = 0.186


class UserRow(NamedTuple):
    """`users`: one customer."""

    user_id: int
    full_name: str
    gender: str
    birth_date: date
    country: str
    created_at: datetime
    updated_at: datetime


class ProductRow(NamedTuple):
    """`products`: one product, with its current price."""

    product_id: int
    product_name: str
    category: str
    unit_price_usd: float
    unit_cost_usd: float
    updated_at: datetime


class AdSpendRow(NamedTuple):
    """`ad_spend`: one campaign's cost so far in the hour that starts at `spend_hour`."""

    spend_hour: datetime
    source: str
    campaign: str
    spend_usd: float


class Shop:
    """The shop of one seed; every moment is in epoch milliseconds."""

    def __init__(self, seed: int, users: int, rate: float, change_interval_ms: int) -> None:
        self.customers = CustomerBook(seed)
        self.user_count = users
        self._seed = seed
        self._rate = rate
        self._interval_ms = change_interval_ms

    def unit_price_usd(self, product: Product, at_ms: int) -> float:
        """The product's price at `at_ms`, in whole cents."""
        slot = self._latest_slot(product.product_id - 1, len(PRODUCTS), at_ms)
        swing = PRICE_SWING_SHARE * (2 * self._chance("price", slot) - 1)
        return round(product.list_price_cents * (1 + swing)) / 100

    def users(self, at_ms: int, since_ms: int | None = None) -> Iterator[UserRow]:
        """Users as of `at_ms`: all of them, or those who moved after `since_ms`."""
        for index in self._touched(self.user_count, at_ms, since_ms):
            slot = self._latest_slot(index, self.user_count, at_ms)
            person = self.customers.customer(index + 1)
            yield UserRow(
                user_id=person.user_id,
                full_name=person.full_name,
                gender=person.gender,
                birth_date=person.birth_date,
                country=self._country(person.home_country, slot),
                created_at=person.created_at,
                updated_at=max(person.created_at, moment(slot * self._interval_ms)),
            )

    def products(self, at_ms: int, since_ms: int | None = None) -> Iterator[ProductRow]:
        """Products as of `at_ms`: all of them, or those repriced after `since_ms`."""
        for index in self._touched(len(PRODUCTS), at_ms, since_ms):
            product = PRODUCTS[index]
            slot = self._latest_slot(index, len(PRODUCTS), at_ms)
            yield ProductRow(
                product_id=product.product_id,
                product_name=product.name,
                category=product.category,
                unit_price_usd=self.unit_price_usd(product, at_ms),
                unit_cost_usd=product.unit_cost_cents / 100,
                updated_at=moment(slot * self._interval_ms),
            )

    def ad_spend(self, at_ms: int, since_ms: int) -> Iterator[AdSpendRow]:
        """Spend of every campaign, for each hour from that of `since_ms` to that of `at_ms`."""
        for hour in range(since_ms // HOUR_MS, at_ms // HOUR_MS + 1):
            for campaign in CAMPAIGNS:
                spend_usd = self._spend_usd(campaign, hour * HOUR_MS, at_ms)
                yield AdSpendRow(
                    moment(hour * HOUR_MS), campaign.source, campaign.campaign, spend_usd
                )

    def slot(self, at_ms: int) -> int:
        """Number of the slot that contains `at_ms`; rows change only between slots."""
        return at_ms // self._interval_ms

    def _latest_slot(self, index: int, count: int, at_ms: int) -> int:
        """The newest slot, up to `at_ms`, that changed row `index` of `count` rows."""
        slot = self.slot(at_ms)
        return slot - (slot - index) % count

    def _touched(self, count: int, at_ms: int, since_ms: int | None) -> Iterable[int]:
        if since_ms is None or self.slot(at_ms) - self.slot(since_ms) >= count:
            return range(count)
        slots = range(self.slot(since_ms) + 1, self.slot(at_ms) + 1)
        return [slot % count for slot in slots]

    def _country(self, home_country: str, slot: int) -> str:
        chance = self._chance("country", slot)
        if chance >= MOVED_SHARE:
            return home_country
        return COUNTRIES[int(chance / MOVED_SHARE * len(COUNTRIES))][0]

    def _spend_usd(self, campaign: Campaign, hour_ms: int, at_ms: int) -> float:
        """Cost of the hour's expected clicks, up to a tenth more or less, for the elapsed part."""
        weights = sum(each.weight for each in CAMPAIGNS)
        clicks = self._rate * 3600 * CLICK_SHARE * campaign.weight / weights
        mood = 0.9 + 0.2 * self._chance(f"{campaign.source}:{campaign.campaign}", hour_ms)
        gone_ms = min(HOUR_MS, self.slot(at_ms) * self._interval_ms - hour_ms)
        gone_share = max(0.0, gone_ms / HOUR_MS)
        full = clicks * campaign.cost_per_click_usd * mood * diurnal_factor(hour_ms)
        return round(full * gone_share, 2)

    def _chance(self, subject: str, number: int) -> float:
        """A number in 0..1 that depends only on the seed, the subject and the number."""
        return zlib.crc32(f"{self._seed}:{subject}:{number}".encode()) / 2**32


def diurnal_factor(at_ms: float) -> float:
    """How busy the shop is at that moment; the day's average is 1."""
    return 1 + DIURNAL_SWING * math.cos(2 * math.pi * (at_ms - PEAK_MS) / DAY_MS)


def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as a time in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
