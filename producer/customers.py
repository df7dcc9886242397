"""The shop's customers: a seed and a `user_id` in, always the same person out.

Faker fills small pools of names, addresses and user agents once. A customer is a cheap draw from
these pools, made on demand. At most `CACHED_CUSTOMERS` are in memory, even of a million.
"""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from faker import Faker

from producer.weighted import Weighted

# Country, Faker's locale, country code, weight. The names are what `users.country` holds.
COUNTRIES = (
    ("United States", "en_US", "US", 36),
    ("United Kingdom", "en_GB", "GB", 14),
    ("Germany", "de_DE", "DE", 13),
    ("France", "fr_FR", "FR", 10),
    ("Brazil", "pt_BR", "BR", 9),
    ("Spain", "es_ES", "ES", 7),
    ("Italy", "it_IT", "IT", 6),
    ("Netherlands", "nl_NL", "NL", 5),
)
GENDERS = Weighted({"female": 49, "male": 48, "unspecified": 3})
# About a fifth of the customers type the address and never click an ad, so their checkouts
# have no touchpoint, however long the lookback is.
DIRECT_SHARE = 0.2
OTHER_BILLING_ADDRESS_SHARE = 0.15
# Enough variety; Faker makes the values of 8 countries, 360 each, in 0.2 s.
NAMES_PER_COUNTRY = 80
ADDRESSES_PER_COUNTRY = 80
AGENTS = 160
# 1 KB each. The cache saves a draw of 20 us, which matters at 20,000 events/s.
CACHED_CUSTOMERS = 10_000
OLDEST_BIRTH_DATE = date(1944, 1, 1)
YOUNGEST_BIRTH_DATE = date(2007, 12, 31)
FIRST_SIGN_UP_AT = datetime(2022, 1, 1, tzinfo=UTC)
SIGN_UP_SECONDS = 3 * 365 * 24 * 3600


class Customer(NamedTuple):
    """One person: name and age, first home, and browser."""

    user_id: int
    full_name: str
    gender: str
    birth_date: date
    home_country: str
    created_at: datetime
    shipping_address: str
    billing_address: str
    user_agent: str
    device: str
    ip_address: str
    latitude: float
    longitude: float
    is_direct: bool


class _CountryPool(NamedTuple):
    """Values that Faker made for one country; `given_names` by gender."""

    given_names: dict[str, list[str]]
    family_names: list[str]
    addresses: list[str]
    places: list[tuple[float, float]]


class CustomerBook:
    """All customers of one seed; `customer(user_id)` returns one of them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pools = [_fill_pool(seed, locale, code) for _, locale, code, _ in COUNTRIES]
        self._agents = _fill_agents(seed)
        self._rng = random.Random()
        self._countries = Weighted(
            {number: weight for number, (*_, weight) in enumerate(COUNTRIES)}
        )
        self.customer = lru_cache(CACHED_CUSTOMERS)(self._draw)

    def _draw(self, user_id: int) -> Customer:
        """Make one customer; the result does not depend on earlier calls."""
        rng = self._rng
        rng.seed(f"{self._seed}:customer:{user_id}")
        number = self._countries.draw(rng)
        pool = self._pools[number]
        gender = GENDERS.draw(rng)
        address = rng.choice(pool.addresses)
        has_other = rng.random() < OTHER_BILLING_ADDRESS_SHARE
        user_agent, device = rng.choice(self._agents)
        latitude, longitude = rng.choice(pool.places)
        return Customer(
            user_id=user_id,
            full_name=f"{rng.choice(pool.given_names[gender])} {rng.choice(pool.family_names)}",
            gender=gender,
            birth_date=_birth_date(rng),
            home_country=COUNTRIES[number][0],
            created_at=FIRST_SIGN_UP_AT + timedelta(seconds=rng.randrange(SIGN_UP_SECONDS)),
            shipping_address=address,
            billing_address=rng.choice(pool.addresses) if has_other else address,
            user_agent=user_agent,
            device=device,
            ip_address=_ip_address(rng),
            latitude=round(latitude + rng.uniform(-0.05, 0.05), 5),
            longitude=round(longitude + rng.uniform(-0.05, 0.05), 5),
            is_direct=rng.random() < DIRECT_SHARE,
        )


def _fill_pool(seed: int, locale: str, country_code: str) -> _CountryPool:
    fake = Faker(locale)
    fake.seed_instance(seed)
    given_names = {
        "female": _make(fake.first_name_female, NAMES_PER_COUNTRY),
        "male": _make(fake.first_name_male, NAMES_PER_COUNTRY),
        "unspecified": _make(fake.first_name, NAMES_PER_COUNTRY),
    }
    places = [fake.local_latlng(country_code, coords_only=True) for _ in range(40)]
    return _CountryPool(
        given_names,
        _make(fake.last_name, NAMES_PER_COUNTRY),
        [line.replace("\n", ", ") for line in _make(fake.address, ADDRESSES_PER_COUNTRY)],
        [(float(place[0]), float(place[1])) for place in places if place],
    )


def _fill_agents(seed: int) -> list[tuple[str, str]]:
    """User agents, each with the kind of device it belongs to."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    return [(agent, _device(agent)) for agent in _make(fake.user_agent, AGENTS)]


def _make(provider: Callable[[], str], count: int) -> list[str]:
    return [provider() for _ in range(count)]


def _device(user_agent: str) -> str:
    if "iPad" in user_agent:
        return "tablet"
    is_phone = any(word in user_agent for word in ("iPhone", "iPod", "Android", "Mobile"))
    return "mobile" if is_phone else "desktop"


def _birth_date(rng: random.Random) -> date:
    first, last = OLDEST_BIRTH_DATE.toordinal(), YOUNGEST_BIRTH_DATE.toordinal()
    return date.fromordinal(rng.randint(first, last))


def _ip_address(rng: random.Random) -> str:
    """An address in 198.18.0.0/15, which is reserved for tests and never routed."""
    bits = rng.getrandbits(17)
    return f"198.{18 + (bits >> 16)}.{bits >> 8 & 255}.{bits & 255}"
