"""Tests that need the time of the clock: a dashboard's last hour, a shop that sells now."""

from collections.abc import Callable

import pytest

from tests.support.lake import Lake
from tests.support.lakehouses import Lakehouse
from tests.support.shop_day import ShopRun, run_shop
from tests.support.stretches import Stretches

# A run of the shop takes five minutes of event time, and begins as long ago as this.
AGO_SECONDS = 50 * 60
SHOP_MESSAGES = 15_000


@pytest.fixture(scope="module")
def lake(stretches: Stretches) -> Lake:
    """The lakehouse from now on."""
    return stretches.present()


@pytest.fixture(scope="session")
def run_last_hour(
    lakehouse: Lakehouse, stretches: Stretches, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], ShopRun]:
    """Once in each life of the lakehouse; the marts have it."""
    made: dict[int, ShopRun] = {}

    def run() -> ShopRun:
        if stretches.life not in made:
            lake = stretches.present(AGO_SECONDS)
            folder = tmp_path_factory.mktemp("shop")
            made[stretches.life] = run_shop(lakehouse, lake, SHOP_MESSAGES, folder)
            lakehouse.refresh_marts()
        return made[stretches.life]

    return run


@pytest.fixture(scope="module")
def last_hour(run_last_hour: Callable[[], ShopRun]) -> ShopRun:
    """What the shop sold in the last hour."""
    return run_last_hour()
