"""Queries that together need more memory than Trino has fail; Trino itself goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from trino.exceptions import TrinoQueryError

from tests.support.clients import Trino
from tests.support.lakehouses import RunningLakehouse

ROWS = 4_000_000
IDS = "staging.many_ids"
COPIES = ("staging.wide_copy_1", "staging.wide_copy_2")
# Each of these holds all ids, and needs more than a query may use.
GROUP = f"""
select count(*)
from (select id, url, count(*) from {IDS} group by id, url having count(*) > 1)
"""
# Wide rows are read faster than they are used. So they wait between two threads, where Trino does
# not count their memory.
COUNT_WIDE = f"""
select count(distinct substr(wide, 1990))
from (
    select rpad(id, 2000, url) as wide from {IDS}
    union all
    select rpad(url, 2000, id) from {IDS}
)
"""
WRITES = [
    f"create or replace table {copy} as"
    f" select rpad(id, 2000, url) as wide from {IDS} where id < '08'"
    for copy in COPIES
]
SESSIONS = [
    *(("etl", statement) for statement in (*WRITES, GROUP, GROUP)),
    *(("analyst", statement) for statement in (COUNT_WIDE, COUNT_WIDE, GROUP)),
]
OUT_OF_MEMORY = {"EXCEEDED_LOCAL_MEMORY_LIMIT", "CLUSTER_OUT_OF_MEMORY"}
# Trino warns so when a collection of all its memory finds that nearly all of it is in use. With our
# settings there were 0 to 9 of these warnings, without task.max-local-exchange-buffer-size 270.
NEARLY_FULL = "only recovered"
MOST_WARNINGS = 100


@pytest.fixture
def etl(lakehouse: RunningLakehouse) -> Trino:
    return Trino(lakehouse.environment_of("etl"))


@pytest.fixture
def many_ids(etl: Trino) -> Iterator[None]:
    etl.query(f"drop table if exists {IDS}")
    etl.query(
        f"""
        create table {IDS} as
        select
            cast(uuid() as varchar) as id,
            'https://shop.example/products/' || cast(uuid() as varchar) as url
        from unnest(sequence(1, 4000)) as thousands (thousand)
        cross join unnest(sequence(1, {ROWS} / 4000)) as numbers (number)
        """
    )
    yield
    for table in (IDS, *COPIES):
        etl.query(f"drop table if exists {table}")


@pytest.mark.thorough
@pytest.mark.usefixtures("many_ids")
def test_trino_goes_on_when_heavy_queries_run_side_by_side(
    lakehouse: RunningLakehouse, etl: Trino
) -> None:
    def ask(session: tuple[str, str]) -> str:
        role, statement = session
        try:
            Trino(lakehouse.environment_of(role)).query(statement)
        except TrinoQueryError as error:
            return str(error.error_name)
        return "answered"

    def count_warnings() -> int:
        return sum(text.count(NEARLY_FULL) for text in lakehouse.told().values())

    before, warnings = lakehouse.pids()["trino"], count_warnings()
    with ThreadPoolExecutor(len(SESSIONS)) as pool:
        outcomes = set(pool.map(ask, SESSIONS))
    assert outcomes <= {"answered", *OUT_OF_MEMORY}
    assert OUT_OF_MEMORY & outcomes, "the queries were too small to show anything"
    assert lakehouse.pids()["trino"] == before
    assert count_warnings() - warnings < MOST_WARNINGS, "Trino's memory was nearly full for long"
    assert etl.query("select 1") == [(1,)]
