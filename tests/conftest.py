"""A lakehouse of the tests' own: its state, its ports; whatever else runs is left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.parts import Parts
from infra.progress import Reporter
from infra.scratch import write_scratch_topology
from infra.settings import REPOSITORY, load_settings
from infra.steps import run_steps, select_steps
from tests.support.lakehouses import TOPOLOGIES, Lakehouse

STATE = REPOSITORY / ".lakehouse-tests"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--topology containers`: `docker compose up` instead of `make run`."""
    parser.addoption("--topology", choices=list(TOPOLOGIES), default="native")


@pytest.fixture(scope="session")
def lakehouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lakehouse]:
    """One on free ports, without a producer; stopped and removed at the end."""
    topology_file = tmp_path_factory.mktemp("topology") / "tests.toml"
    write_scratch_topology(topology_file, STATE.name)
    own = TOPOLOGIES[request.config.getoption("--topology")](topology_file)
    own.remove()
    try:
        own.start()
        yield own
    finally:
        own.remove()


@pytest.fixture(scope="session")
def dbt() -> Path:
    """The program; no lakehouse on this machine, or one in containers, need have made it."""
    with Reporter() as reporter:
        parts = Parts(load_settings().parts, reporter)
        run_steps(select_steps(parts.steps(), ["environment dbt"]), reporter)
    return parts.environment("dbt") / "bin/dbt"
