"""Queries that together need more memory than Trino has fail; Trino itself goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from trino.exceptions import TrinoQueryError

from tests.support.clients import Trino
from tests.support.lakehouses import RunningLakehouse

TABLE = "staging.many_ids"
# Each query groups all ids, and needs more than a query may use.
ROWS = 4_000_000
HEAVY = f"""
select count(*)
from (select id, url, count(*) from {TABLE} group by id, url having count(*) > 1)
"""
SESSIONS = {"analyst": 3, "etl": 4}
OUT_OF_MEMORY = {"EXCEEDED_LOCAL_MEMORY_LIMIT", "CLUSTER_OUT_OF_MEMORY"}


@pytest.fixture
def etl(lakehouse: RunningLakehouse) -> Trino:
    return Trino(lakehouse.environment_of("etl"))


@pytest.fixture
def many_ids(etl: Trino) -> Iterator[None]:
    etl.query(f"drop table if exists {TABLE}")
    etl.query(
        f"""
        create table {TABLE} as
        select
            cast(uuid() as varchar) as id,
            'https://shop.example/products/' || cast(uuid() as varchar) as url
        from unnest(sequence(1, 4000)) as thousands (thousand)
        cross join unnest(sequence(1, {ROWS} / 4000)) as numbers (number)
        """
    )
    yield
    etl.query(f"drop table {TABLE}")


@pytest.mark.thorough
@pytest.mark.usefixtures("many_ids")
def test_trino_goes_on_when_heavy_queries_run_side_by_side(
    lakehouse: RunningLakehouse, etl: Trino
) -> None:
    def ask(role: str) -> str:
        try:
            Trino(lakehouse.environment_of(role)).query(HEAVY)
        except TrinoQueryError as error:
            return str(error.error_name)
        return "answered"

    before = lakehouse.pids()["trino"]
    roles = [role for role, sessions in SESSIONS.items() for _ in range(sessions)]
    with ThreadPoolExecutor(len(roles)) as pool:
        outcomes = set(pool.map(ask, roles))
    assert outcomes <= {"answered", *OUT_OF_MEMORY}
    assert OUT_OF_MEMORY & outcomes, "the queries were too small to show anything"
    assert lakehouse.pids()["trino"] == before
    assert etl.query("select 1") == [(1,)]
