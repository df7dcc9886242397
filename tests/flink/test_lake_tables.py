"""A table of an earlier version is changed in place to this version, or refused."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.schema import Schema
from pyiceberg.types import IntegerType, ListType, StringType, StructType

from configuration.secrets import load_secrets
from flink_jobs.lake_tables import (
    ANSWERS_EACH_ATTEMPT_SINCE,
    ATTRIBUTED_CHECKOUTS,
    CHECKOUTS,
    CLICKSTREAM,
    EVER,
    TOUCHPOINT,
    Column,
    LakeTable,
    TableError,
    ensure_table,
    ensure_tables,
    find_problems,
    open_catalog,
)
from tests.support.lakehouses import NativeLakehouse

NEW = Column("referrer", StringType(), "Page before.")
ROW = {
    "event_id": "e",
    "event_type": "click",
    "user_id": 1,
    "session_id": "s",
    "occurred_at": datetime(2026, 1, 1, tzinfo=UTC),
    "is_late": False,
    "kafka_partition": 0,
    "kafka_offset": 0,
    "ingested_at": datetime(2026, 1, 1, tzinfo=UTC),
}


def with_columns(table: LakeTable, *columns: Column) -> LakeTable:
    return replace(table, columns=columns)


@pytest.fixture(scope="module")
def catalog(stores: NativeLakehouse) -> Catalog:
    return open_catalog(stores.settings, load_secrets(stores.settings))


@pytest.fixture
def older(catalog: Catalog) -> Any:
    """A table of an earlier version, with one row; dropped at the end."""
    table = replace(CLICKSTREAM, name="raw.clickstream_of_before")
    # Without partitions: PyIceberg can't write hours without its part in Rust.
    written = catalog.create_table(table.name, table.schema)
    written.append(pa.Table.from_pylist([ROW], written.schema().as_arrow()))
    yield table
    catalog.drop_table(table.name)


def test_nullable_column_is_added_and_rows_are_kept(catalog: Catalog, older: LakeTable) -> None:
    first, *others = older.columns
    newer = with_columns(older, first, NEW, *others)
    assert ensure_table(catalog, newer)
    table = catalog.load_table(older.name)
    assert table.schema().column_names == [column.name for column in newer.columns]
    assert table.schema().find_field(NEW.name).doc == NEW.meaning
    [row] = table.scan().to_arrow().to_pylist()
    assert row == {**dict.fromkeys(table.schema().column_names), **ROW}
    assert not ensure_table(catalog, newer), "a second call must change nothing"


def test_columns_get_the_order_in_which_the_job_writes_them(
    catalog: Catalog, older: LakeTable
) -> None:
    columns = [column for column in reversed(older.columns) if column.name != "device"]
    newer = with_columns(older, *columns)
    assert ensure_table(catalog, newer)
    table = catalog.load_table(older.name)
    order = [*(column.name for column in columns), "device"]
    assert table.schema().column_names == order, "a column of another version comes last"
    [row] = table.scan().to_arrow().to_pylist()
    assert row == {**dict.fromkeys(order), **ROW}
    assert not ensure_table(catalog, newer), "a second call must change nothing"


def test_column_becomes_nullable_in_place(catalog: Catalog, older: LakeTable) -> None:
    columns = [
        replace(column, is_required=False) if column.name == "session_id" else column
        for column in older.columns
    ]
    assert ensure_table(catalog, with_columns(older, *columns))
    assert catalog.load_table(older.name).schema().find_field("session_id").optional


def test_new_rows_are_partitioned_by_arrival_in_a_table_that_was_partitioned_by_event_time(
    catalog: Catalog,
) -> None:
    table = replace(CLICKSTREAM, name="raw.clickstream_by_event_time")
    by_event_time = replace(table, arrival_column="occurred_at")
    catalog.create_table(table.name, table.schema, partition_spec=by_event_time.partition_spec)
    try:
        assert ensure_table(catalog, table)
        [field] = catalog.load_table(table.name).spec().fields
        source = table.schema.find_field("ingested_at")
        assert (field.source_id, field.transform) == (source.field_id, table.partition_by)
        assert not ensure_table(catalog, table), "a second call must change nothing"
    finally:
        catalog.drop_table(table.name)


def test_table_remembers_the_first_start_with_the_present_rules(catalog: Catalog) -> None:
    table = replace(ATTRIBUTED_CHECKOUTS, name="attribution.attributed_checkouts_of_before")
    catalog.create_table(table.name, table.schema, partition_spec=table.partition_spec)
    try:
        before_ms = int(time.time() * 1000)
        assert ensure_table(catalog, table)
        since = catalog.load_table(table.name).properties[ANSWERS_EACH_ATTEMPT_SINCE]
        assert before_ms <= int(since) <= time.time() * 1000
        assert not ensure_table(catalog, table), "a second call must change nothing"
        catalog.drop_table(table.name)
        assert ensure_table(catalog, table)
        new = catalog.load_table(table.name)
        assert new.properties[ANSWERS_EACH_ATTEMPT_SINCE] == EVER
    finally:
        catalog.drop_table(table.name)


def test_docs_of_nested_fields_do_not_matter() -> None:
    [touchpoints] = [each for each in ATTRIBUTED_CHECKOUTS.columns if each.name == "touchpoints"]
    other = TOUCHPOINT.fields[0].model_copy(update={"doc": "Other words."})
    changed = ListType(7, StructType(other, *TOUCHPOINT.fields[1:]), element_required=False)
    columns = [
        replace(column, type=changed) if column == touchpoints else column
        for column in ATTRIBUTED_CHECKOUTS.columns
    ]
    existing = Schema(*ATTRIBUTED_CHECKOUTS.schema.fields)
    assert find_problems(existing, with_columns(ATTRIBUTED_CHECKOUTS, *columns)) == []


def test_table_is_refused_and_unchanged_when_a_type_differs(
    catalog: Catalog, older: LakeTable
) -> None:
    before = catalog.load_table(older.name).schema()
    columns = [
        replace(column, type=IntegerType()) if column.name == "device" else column
        for column in older.columns
    ]
    with pytest.raises(TableError, match=r"clickstream_of_before.device: the table has string"):
        ensure_table(catalog, with_columns(older, *columns, NEW))
    assert catalog.load_table(older.name).schema() == before


def test_existing_tables_are_not_changed(catalog: Catalog) -> None:
    assert ensure_tables(catalog) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda columns: (*columns, replace(NEW, is_required=True)), "referrer: a new column must"),
        (
            lambda columns: tuple(replace(each, is_required=True) for each in columns),
            "failure_reason: it is nullable in the table",
        ),
        (lambda columns: columns[1:], "checkout_id: the table requires it"),
    ],
    ids=["required column is new", "column becomes required", "required column is gone"],
)
def test_problem_is_found_when_a_table_cannot_be_changed_in_place(
    change: Any, problem: str
) -> None:
    existing = Schema(*CHECKOUTS.schema.fields)
    problems = find_problems(existing, with_columns(CHECKOUTS, *change(CHECKOUTS.columns)))
    assert any(f"raw.checkouts.{problem}" in each for each in problems), problems
    assert find_problems(existing, CHECKOUTS) == []
