"""Flink and the lake have every column of the shop's tables; the connector's file has no secret."""

import re

import pytest

from configuration import REPOSITORY
from configuration.settings import load_settings
from flink_jobs.lake_tables import TABLES
from infra.services.connect import CONNECTOR_FILE, SHOP_TABLES, TABLE_DEFINITIONS

SQL = REPOSITORY / "flink_jobs/sql"
# PostgreSQL's type: the type in Flink's SQL, and the type in the lake.
TYPES = {
    "bigint": ("bigint", "long"),
    "text": ("string", "string"),
    "date": ("date", "date"),
    "timestamptz": ("timestamp_ltz(6)", "timestamptz"),
    "numeric(12, 2)": ("decimal(12, 2)", "decimal(12, 2)"),
}
COLUMN = re.compile(r"^    (\w+) ([\w]+(?:\(\d+(?:, \d+)?\))?)(?: not null| primary key|,|$)", re.M)


def shop_columns(table: str) -> list[tuple[str, str]]:
    """Name and type of each column of the shop's table."""
    columns = COLUMN.findall((TABLE_DEFINITIONS / f"{table}.sql").read_text())
    return [(name, type_) for name, type_ in columns if name != "primary"]


@pytest.mark.parametrize("table", SHOP_TABLES)
def test_flink_declares_the_columns_of_the_shops_table(table: str) -> None:
    [file] = SQL.glob(f"*[0-9]_{table}_changes.sql")
    declared = COLUMN.findall(file.read_text())
    assert declared == [(name, TYPES[type_][0]) for name, type_ in shop_columns(table)]


@pytest.mark.parametrize("table", SHOP_TABLES)
def test_lake_table_has_the_columns_of_the_shops_table(table: str) -> None:
    [lake_table] = [each for each in TABLES if each.name == f"raw.{table}_changes"]
    expected = [(name, TYPES[type_][1]) for name, type_ in shop_columns(table)]
    held = [(column.name, str(column.type)) for column in lake_table.columns]
    assert held[: len(expected)] == expected
    assert [name for name, _ in held[len(expected) :]] == [
        "operation",
        "changed_at",
        "source_lsn",
        "message",
        "kafka_partition",
        "kafka_offset",
        "ingested_at",
    ]


@pytest.mark.parametrize("table", SHOP_TABLES)
def test_topic_names_follow_debezium(table: str) -> None:
    topics = load_settings().pipeline.topics
    assert topics.changes(table) == f"{topics.changes_prefix}.public.{table}"


def test_connector_file_refers_to_the_password_without_holding_it() -> None:
    [line] = [line for line in CONNECTOR_FILE.read_text().splitlines() if "password" in line]
    assert line == "database.password=$${env:DEBEZIUM_PASSWORD}"
