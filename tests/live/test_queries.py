"""The example queries, and the prompt that runs them."""

from pathlib import Path

import pytest

from configuration import REPOSITORY
from tests.support.clients import Trino
from tests.support.lakehouses import RunningLakehouse
from tests.support.shop import Shop

QUERIES = sorted((REPOSITORY / "trino/queries").glob("*.sql"))


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_example_query_has_rows(file: Path, lakehouse: RunningLakehouse, shop: Shop) -> None:
    assert shop.last_hour.summary["messages"]
    trino = Trino(lakehouse.environment)
    assert trino.query(file.read_text().strip().removesuffix(";"))


def test_sql_prompt_runs_a_file(lakehouse: RunningLakehouse, shop: Shop) -> None:
    assert shop.last_hour.summary["messages"]
    shown = lakehouse.ask(QUERIES[0])
    assert "|" in shown, shown
