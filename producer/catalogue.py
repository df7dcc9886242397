"""What the shop sells and where its visitors come from: constant, the same for every seed."""

from typing import NamedTuple


class Product(NamedTuple):
    """A product on sale; prices in cents. The list price is the average price over time."""

    product_id: int
    name: str
    category: str
    list_price_cents: int
    unit_cost_cents: int
    commission_share: float
    popularity: int


class Campaign(NamedTuple):
    """A campaign that brings visitors; it gets clicks in proportion to its `weight`."""

    source: str
    campaign: str
    weight: int
    cost_per_click_usd: float


# Share of the price that the shop earns, by category.
COMMISSION_SHARES = {
    "audio": 0.065,
    "books": 0.12,
    "clothing": 0.105,
    "garden": 0.0725,
    "home": 0.08,
    "kitchen": 0.0875,
    "sports": 0.09,
    "toys": 0.11,
}

# category, name, list price and cost in cents, popularity
_ASSORTMENT = (
    ("audio", "Wireless earbuds", 7_999, 5_120, 10),
    ("audio", "Over-ear headphones", 18_900, 12_850, 6),
    ("audio", "Bookshelf speakers", 24_950, 17_400, 2),
    ("audio", "Portable speaker", 5_995, 3_710, 7),
    ("audio", "Turntable", 32_900, 23_900, 1),
    ("books", "Atlas of tides", 3_499, 1_620, 3),
    ("books", "A short history of salt", 1_799, 760, 6),
    ("books", "Cooking for one river", 2_450, 1_130, 4),
    ("books", "Field guide to clouds", 2_195, 980, 5),
    ("books", "The lighthouse crossword", 999, 410, 8),
    ("clothing", "Merino sweater", 8_900, 4_300, 5),
    ("clothing", "Rain jacket", 12_950, 6_900, 4),
    ("clothing", "Canvas sneakers", 6_495, 3_050, 8),
    ("clothing", "Linen shirt", 5_490, 2_480, 6),
    ("clothing", "Wool socks, three pairs", 1_999, 790, 9),
    ("garden", "Raised bed kit", 14_900, 9_450, 2),
    ("garden", "Hose reel", 4_795, 2_900, 3),
    ("garden", "Pruning shears", 2_699, 1_340, 4),
    ("garden", "Bird feeder", 3_250, 1_710, 5),
    ("garden", "Solar lanterns, set of four", 3_999, 2_240, 6),
    ("home", "Desk lamp", 4_490, 2_500, 7),
    ("home", "Down pillow", 5_999, 3_200, 5),
    ("home", "Wall clock", 3_795, 1_980, 4),
    ("home", "Storage basket", 1_895, 870, 6),
    ("home", "Oak side table", 15_900, 9_800, 2),
    ("kitchen", "Chef's knife", 9_495, 5_030, 5),
    ("kitchen", "Cast iron pan", 6_900, 3_900, 6),
    ("kitchen", "Coffee grinder", 11_999, 7_100, 5),
    ("kitchen", "Espresso cups, set of six", 2_999, 1_330, 7),
    ("kitchen", "Stand mixer", 39_900, 28_500, 1),
    ("sports", "Yoga mat", 3_495, 1_600, 8),
    ("sports", "Trail running vest", 9_950, 5_600, 3),
    ("sports", "Climbing harness", 7_490, 4_350, 2),
    ("sports", "Water bottle", 2_295, 980, 10),
    ("sports", "Bicycle light", 4_299, 2_300, 5),
    ("toys", "Wooden train", 4_995, 2_390, 5),
    ("toys", "Marble run", 5_795, 2_900, 4),
    ("toys", "Kite", 1_995, 850, 5),
    ("toys", "Puzzle, 1000 pieces", 1_699, 690, 9),
    ("toys", "Building blocks", 3_199, 1_450, 7),
)

PRODUCTS = tuple(
    Product(number, name, category, price, cost, COMMISSION_SHARES[category], popularity)
    for number, (category, name, price, cost, popularity) in enumerate(_ASSORTMENT, start=1)
)

CAMPAIGNS = (
    Campaign("google", "brand_search", 16, 0.95),
    Campaign("google", "shopping_ads", 18, 1.45),
    Campaign("google", "generic_search", 9, 3.10),
    Campaign("facebook", "spring_sale", 10, 1.60),
    Campaign("facebook", "retargeting", 7, 1.10),
    Campaign("instagram", "new_arrivals", 9, 1.75),
    Campaign("instagram", "creator_picks", 5, 2.60),
    Campaign("tiktok", "unboxing", 8, 1.30),
    Campaign("youtube", "gift_guide", 4, 2.20),
    Campaign("newsletter", "weekly_deals", 8, 0.30),
    Campaign("newsletter", "abandoned_cart", 3, 0.30),
    Campaign("affiliate", "price_comparison", 3, 1.40),
)

# With `--truth`: how often a source's click leads into the cart, as a factor on the average share.
# Without it all sources are equal.
CAUSAL_WEIGHTS = {
    "google": 1.0,
    "facebook": 0.5,
    "instagram": 0.7,
    "tiktok": 0.3,
    "youtube": 1.2,
    "newsletter": 2.0,
    "affiliate": 1.6,
}

# Reasons for failed payments; each occurs in proportion to its weight.
FAILURE_REASONS = {
    "insufficient_funds": 34,
    "declined_by_bank": 26,
    "authentication_failed": 16,
    "expired_method": 11,
    "suspected_fraud": 7,
    "processor_timeout": 6,
}
