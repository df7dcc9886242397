"""The tests' own lakehouse, with its own state and ports; other lakehouses stay untouched."""

import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import pytest

from configuration.settings import load_settings
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.install.steps import select_steps
from infra.services.marts import run_dbt
from infra.services.model import Lakehouse
from infra.topologies.scratch import write_scratch_topology
from tests.support.lake import Lake
from tests.support.lakehouses import (
    RUN_VARIABLE,
    TOPOLOGIES,
    RunningLakehouse,
    name_state,
    remove_leftovers,
)
from tests.support.marts import RunDbt
from tests.support.stretches import Stretches

# Fixtures that are expensive to set up, most expensive first. Tests that use the same one share it.
NEEDS = ("lakehouse", "stores", "parts", "dbt")
# The niceness of tests that need no lakehouse: a third of the others' share of a busy CPU.
GIVES_WAY = 5


class EventTime(IntEnum):
    """When a test file's events are dated, oldest first."""

    HISTORY = 1
    TODAY = 2
    NOW = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--topology containers`: `docker compose up` instead of `make run`."""
    parser.addoption("--topology", choices=list(TOPOLOGIES), default="native")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and remember the process that started the tests."""
    if not hasattr(config, "workerinput"):
        os.environ[RUN_VARIABLE] = str(os.getpid())
    for line in (
        "lakehouse: needs a running lakehouse (added automatically)",
        "parts: needs more than the environment `dev` (added automatically)",
        "thorough: takes long; `make test` runs a faster variant, `make test-all` runs both",
    ):
        config.addinivalue_line("markers", line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove everything left behind, including by a killed worker."""
    if not hasattr(session.config, "workerinput"):
        remove_leftovers()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what each test needs; tests that share a lakehouse, a Flink or a dbt share a worker."""
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if callspec := getattr(item, "callspec", None):
            asked -= callspec.params.keys()
        needed = [each for each in NEEDS if each in asked]
        if needed:
            item.add_marker("lakehouse" if "lakehouse" in needed else "parts")
            item.add_marker(pytest.mark.xdist_group(needed[0]))


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_order_by_event_time(items: list[pytest.Item]) -> None:
    """Run files of history first, then those with the shop of today, then those of now.

    Event time only goes forward in a lakehouse. Another order works too but takes longer, because
    it needs an empty lakehouse in between.
    """
    times: dict[Path, EventTime] = {}
    for item in items:
        time = _read_event_time(item)
        times[item.path] = min(time, times.get(item.path, time))
    items.sort(key=lambda item: times[item.path])


def _read_event_time(item: pytest.Item) -> EventTime:
    if item.path.parent.name != "live":
        return EventTime.HISTORY
    return EventTime.TODAY if "shop" in getattr(item, "fixturenames", ()) else EventTime.NOW


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail early if pytest-xdist would give every worker its own lakehouse."""
    if hasattr(session.config, "workerinput") and session.config.getoption("loadgroup", False):
        alone = [each for each in session.items if each.get_closest_marker("xdist_group")]
        assert all("@" in each.nodeid for each in alone), "pytest-xdist ignores xdist_group"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the worker without the lakehouse give way: the other one decides how long a run takes."""
    is_beside_others = hasattr(item.config, "workerinput")
    if is_beside_others and not item.get_closest_marker("lakehouse") and os.nice(0) < GIVES_WAY:
        os.nice(GIVES_WAY)


@pytest.fixture(scope="session")
def lakehouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningLakehouse]:
    """A lakehouse on free ports, without producer and housekeeping.

    It is stopped and removed at the end.
    """
    topology_file = tmp_path_factory.mktemp("topology") / "tests.toml"
    write_scratch_topology(topology_file, name_state("lakehouse"))
    lakehouse = TOPOLOGIES[request.config.getoption("--topology")](topology_file)
    lakehouse.remove()
    try:
        lakehouse.start()
        yield lakehouse
    finally:
        lakehouse.remove()


@pytest.fixture(scope="session")
def stretches(lakehouse: RunningLakehouse) -> Stretches:
    """Hands out stretches of the lakehouse's event time."""
    return Stretches(lakehouse)


@pytest.fixture(scope="module")
def lake(stretches: Stretches) -> Lake:
    """The lakehouse, in a stretch of history that only this test file uses."""
    return stretches.history()


@pytest.fixture(scope="module")
def own(lakehouse: RunningLakehouse) -> Lakehouse:
    """The lakehouse as infra's code describes it."""
    return lakehouse.describe()


@pytest.fixture(scope="session")
def parts() -> Parts:
    """Everything that is fetched and built, without any service."""
    with Reporter() as reporter:
        parts = Parts(load_settings().parts, reporter)
        parts.ensure(parts.steps())
    return parts


@pytest.fixture(scope="session")
def dbt() -> Path:
    """The dbt program; built here, because no native lakehouse may have built it yet."""
    with Reporter() as reporter:
        parts = Parts(load_settings().parts, reporter)
        parts.ensure(select_steps(parts.steps(), ["virtualenv dbt"]))
    return parts.virtualenv("dbt") / "bin/dbt"


@pytest.fixture(scope="session")
def dbt_on_lake(lakehouse: RunningLakehouse, dbt: Path) -> RunDbt:
    """Runs dbt on the lakehouse, for tests that need less than `make marts` or `make refresh`."""
    assert dbt.exists()

    def run(command: str, *models: str) -> None:
        assert run_dbt(lakehouse.describe(), command, "--select", *models) == 0

    return run
