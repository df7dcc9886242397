"""A Flink for single queries, and only the stores that a job needs, without a whole lakehouse."""

from collections.abc import Iterator

import pytest

from infra.install.parts import Parts
from infra.topologies.scratch import write_scratch_topology
from tests.support.flink_queries import FlinkQueries
from tests.support.lakehouses import NativeLakehouse, Stores, name_state


@pytest.fixture(scope="session")
def query(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkQueries]:
    """Runs statements, then a query; returns the rows."""
    queries = FlinkQueries(parts, tmp_path_factory.mktemp("flink"))
    yield queries
    queries.close()


@pytest.fixture(scope="session")
def stores(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeLakehouse]:
    """Kafka, PostgreSQL and MinIO, with topics, catalog and buckets."""
    assert parts.root
    topology_file = tmp_path_factory.mktemp("topology") / "tests.toml"
    write_scratch_topology(topology_file, name_state("stores"))
    stores = Stores(topology_file)
    stores.remove()
    try:
        stores.start()
        yield stores
    finally:
        stores.remove()
