"""Fixtures of tests that need the present: a dashboard's last hour, a shop that sells now."""

import time
from collections.abc import Callable

import pytest

from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.shop import Shop, run_shop
from tests.support.stretches import Stretches
from tests.support.traffic import SECOND_MS

SEED = 1
CRAFTED_USERS = 300
SHOP_MESSAGES = 15_000
# The crafted traffic lasts a little over two hours and begins this long ago.
DAY_AGO_HOURS = 8
# The shop's run within the last hour lasts five minutes of event time and begins this long ago.
AGO_SECONDS = 50 * 60


@pytest.fixture(scope="module")
def lake(stretches: Stretches) -> Lake:
    """The lakehouse from now on."""
    return stretches.present()


@pytest.fixture(scope="session")
def make_shop(
    lakehouse: RunningLakehouse, stretches: Stretches, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Shop]:
    """Makes the shop's data; only once until the lakehouse is emptied."""
    made: dict[int, Shop] = {}

    def make() -> Shop:
        if stretches.life not in made:
            lake = stretches.today(DAY_AGO_HOURS)
            lake.send(lake.traffic(SEED).messages(CRAFTED_USERS))
            folder = tmp_path_factory.mktemp("earlier")
            earlier = run_shop(lakehouse, lake, SEED, SHOP_MESSAGES, folder)
            lake.finish_hour()
            lake.now_ms = int(time.time() - AGO_SECONDS) * SECOND_MS
            folder = tmp_path_factory.mktemp("last_hour")
            last_hour = run_shop(lakehouse, lake, SEED + 1, SHOP_MESSAGES, folder)
            lakehouse.build_marts()
            made[stretches.life] = Shop(lake, earlier, last_hour, lake.read())
        return made[stretches.life]

    return make


@pytest.fixture(scope="module")
def shop(make_shop: Callable[[], Shop]) -> Shop:
    """The shop's data, which several test files read and none changes."""
    return make_shop()
