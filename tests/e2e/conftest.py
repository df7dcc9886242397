"""What several end-to-end files read, and none of them changes: a day of the shop, in the marts."""

from collections.abc import Callable

import pytest

from tests.support.lakehouses import Lakehouse
from tests.support.shop_day import ShopDay, run_shop
from tests.support.stretches import Stretches

SEED = 1
CRAFTED_USERS = 300
SHOP_MESSAGES = 15_000


@pytest.fixture(scope="session")
def make_shop_day(
    lakehouse: Lakehouse, stretches: Stretches, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], ShopDay]:
    """Once in each life of the lakehouse."""
    made: dict[int, ShopDay] = {}

    def make() -> ShopDay:
        if stretches.life not in made:
            lake = stretches.history()
            lake.send(lake.traffic(SEED).messages(CRAFTED_USERS))
            run = run_shop(lakehouse, lake, SHOP_MESSAGES, tmp_path_factory.mktemp("shop"))
            lake.finish_hour()
            lakehouse.build_marts()
            made[stretches.life] = ShopDay(lake, run, lake.read())
        return made[stretches.life]

    return make


@pytest.fixture(scope="module")
def shop_day(make_shop_day: Callable[[], ShopDay]) -> ShopDay:
    """The day that this lakehouse has."""
    return make_shop_day()
