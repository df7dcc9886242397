"""What one visitor does: a customer and a moment in, the events of one session out.

A session has arrivals (each by an ad's click, unless the customer comes directly), page views,
add-to-carts, checkouts (a visitor often retries a failed one, and sometimes buys a product
twice) and perhaps a logout. Pure: only the random generator has state.
"""

import random
from typing import NamedTuple

from producer.catalogue import (
    CAMPAIGNS,
    CAUSAL_WEIGHTS,
    FAILURE_REASONS,
    PRODUCTS,
    Campaign,
    Product,
)
from producer.customers import Customer
from producer.messages import Checkout, ClickstreamEvent, Draft
from producer.plan import Plan
from producer.shop import Shop
from producer.weighted import Weighted

# Mean pause between two steps of a visitor; pauses are exponentially distributed.
STEP_SECONDS = 18
# How many products a visitor comes for, one after another.
ARRIVAL_COUNTS = Weighted({1: 55, 2: 30, 3: 15})
# How many pages a visitor views after each arrival.
PAGE_VIEW_COUNTS = Weighted({1: 20, 2: 35, 3: 25, 4: 20})
# Share of page views that show the product that the visitor came for.
SAME_PRODUCT_SHARE = 0.6
ADD_TO_CART_SHARE = 0.42
# Share of the products in the cart that the visitor checks out.
CHECKOUT_SHARE = 0.62
RETRY_SHARE = 0.5
REPEAT_SHARE = 0.12
LOGOUT_SHARE = 0.45

PRODUCT_DRAWS = Weighted({product: product.popularity for product in PRODUCTS})
CAMPAIGN_DRAWS = Weighted({campaign: campaign.weight for campaign in CAMPAIGNS})
FAILURE_REASON_DRAWS = Weighted(FAILURE_REASONS)
QUANTITIES = Weighted({1: 76, 2: 17, 3: 5, 4: 2})
# 0.3333 gives totals with fractions of a cent, so that rounding is tested.
DISCOUNT_SHARES = Weighted({0.0: 60, 0.05: 10, 0.1: 12, 0.15: 8, 0.25: 7, 0.3333: 3})
SHIPPING_USD = Weighted({0.0: 40, 4.99: 35, 9.99: 18, 14.95: 7})
SITE = "https://shop.example"


class SessionMaker:
    """Makes sessions for one plan.

    Args:
        plan: what to produce.
        shop: gives the prices.
        pace: factor on all pauses; below 1 visitors hurry (see `traffic`).
    """

    def __init__(self, plan: Plan, shop: Shop, pace: float = 1.0) -> None:
        self.plan = plan
        self.shop = shop
        self.step_ms = STEP_SECONDS * 1000 * pace
        # The first payment method of the settings is used most.
        methods = enumerate(plan.payment_methods, start=1)
        self.payment_methods = Weighted({method: 1 / rank for rank, method in methods})

    def session(self, rng: random.Random, customer: Customer, started_at_ms: int) -> list[Draft]:
        """The events of one session, in order of event time; at least two."""
        visit = _Visit(self, rng, customer, started_at_ms)
        cart: list[_CartItem] = []
        for _ in range(ARRIVAL_COUNTS.draw(rng)):
            cart += visit.explore(PRODUCT_DRAWS.draw(rng))
        for item in cart:
            if rng.random() < CHECKOUT_SHARE:
                visit.buy(item)
        if rng.random() < LOGOUT_SHARE:
            visit.add_event("logout", None)
        return visit.drafts


class _CartItem(NamedTuple):
    """A product and the click that put it into the cart; None if the buyer came directly."""

    product: Product
    cause: ClickstreamEvent | None


class _Visit:
    """A session in progress: every step adds events and takes time."""

    def __init__(
        self, maker: SessionMaker, rng: random.Random, customer: Customer, started_at_ms: int
    ) -> None:
        self.drafts: list[Draft] = []
        self._maker = maker
        self._rng = rng
        self._customer = customer
        self._session_id = _new_id(rng)
        self._now_ms = started_at_ms

    def explore(self, product: Product) -> list[_CartItem]:
        """Arrive at a product and view pages; return what goes into the cart."""
        rng = self._rng
        click, add_to_cart_share = None, ADD_TO_CART_SHARE
        if not self._customer.is_direct:
            campaign = CAMPAIGN_DRAWS.draw(rng)
            click = self.add_event("click", product, campaign)
            if self._maker.plan.has_truth:
                add_to_cart_share *= CAUSAL_WEIGHTS[campaign.source]
        cart = []
        for _ in range(PAGE_VIEW_COUNTS.draw(rng)):
            is_same = rng.random() < SAME_PRODUCT_SHARE
            self.add_event("page_view", product if is_same else PRODUCT_DRAWS.draw(rng))
        if rng.random() < add_to_cart_share:
            self.add_event("add_to_cart", product)
            cart.append(_CartItem(product, click))
        return cart

    def buy(self, item: _CartItem) -> None:
        """Pay for a product. After a failure perhaps retry; after a success perhaps buy again."""
        if self._check_out(item):
            if self._rng.random() < REPEAT_SHARE:
                self._check_out(item)
        elif self._rng.random() < RETRY_SHARE:
            self._check_out(item)

    def add_event(
        self, event_type: str, product: Product | None, campaign: Campaign | None = None
    ) -> ClickstreamEvent:
        """Add one event of the clickstream; return its body."""
        customer = self._customer
        body: ClickstreamEvent = {
            "event_id": _new_id(self._rng),
            "event_type": event_type,
            "user_id": customer.user_id,
            "session_id": self._session_id,
            "product_id": product.product_id if product else None,
            "source": campaign.source if campaign else None,
            "campaign": campaign.campaign if campaign else None,
            "url": f"{SITE}/products/{product.product_id}" if product else SITE,
            "device": customer.device,
            "user_agent": customer.user_agent,
            "ip_address": customer.ip_address,
            "latitude": customer.latitude,
            "longitude": customer.longitude,
            "occurred_at_ms": self._now_ms,
        }
        self._add(self._maker.plan.clickstream_topic, body)
        return body

    def _check_out(self, item: _CartItem) -> bool:
        """Add one checkout; true if the payment succeeded."""
        product = item.product
        rng, maker, customer = self._rng, self._maker, self._customer
        has_failed = rng.random() < maker.plan.failed_payment_share
        body: Checkout = {
            "checkout_id": _new_id(rng),
            "user_id": customer.user_id,
            "session_id": self._session_id,
            "product_id": product.product_id,
            "quantity": QUANTITIES.draw(rng),
            "unit_price_usd": maker.shop.unit_price_usd(product, self._now_ms),
            "discount_share": DISCOUNT_SHARES.draw(rng),
            "shipping_usd": SHIPPING_USD.draw(rng),
            "commission_share": product.commission_share,
            "payment_method": maker.payment_methods.draw(rng),
            "payment_status": "failed" if has_failed else "succeeded",
            "failure_reason": FAILURE_REASON_DRAWS.draw(rng) if has_failed else None,
            "shipping_address": customer.shipping_address,
            "billing_address": customer.billing_address,
            "user_agent": customer.user_agent,
            "ip_address": customer.ip_address,
            "occurred_at_ms": self._now_ms,
        }
        self._add(maker.plan.checkouts_topic, body, item.cause)
        return not has_failed

    def _add(
        self, topic: str, body: ClickstreamEvent | Checkout, cause: ClickstreamEvent | None = None
    ) -> None:
        self.drafts.append(Draft(self._now_ms, topic, body, cause))
        self._now_ms += int(self._rng.expovariate(1) * self._maker.step_ms)


def _new_id(rng: random.Random) -> str:
    """128 random bits, so that no two ids are equal, in any run."""
    return f"{rng.getrandbits(128):032x}"
