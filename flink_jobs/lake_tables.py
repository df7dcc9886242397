"""The tables that the job writes: their namespaces and schemas.

`ensure_tables` runs before the job and is safe to repeat. It makes missing tables, and adds missing
nullable columns to existing ones. It refuses to run if a column can't be changed in place. It drops
nothing.

Every table is partitioned by the time at which the job writes its rows, not by event time. A writer
keeps one file open for each partition of a checkpoint's rows. By event time, one message for each
hour of a few months would open thousands of files at once (docs/decisions/0028).
"""

import time
from dataclasses import dataclass
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.transforms import DayTransform, HourTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from configuration.environment import flink_environment
from configuration.errors import TributaryError
from configuration.events import Event, load_events
from configuration.secrets import Secrets
from configuration.settings import Settings

COMMIT_ATTEMPTS = 8
NAMESPACES = ("raw", "attribution", "marts")

PROPERTIES = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    # Values rarely repeat within one commit's rows, so dictionaries would only cost CPU. Merging
    # rewrites the files with dictionaries (docs/decisions/0016).
    "parquet.enable.dictionary": "false",
    # Maintenance commits to these tables too. The job's commit must retry until it gets through.
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "100",
    "commit.retry.max-wait-ms": "10000",
    # With a commit every few seconds, thousands of metadata files would pile up.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # Each commit adds a manifest. A query of the newest minutes opens every manifest of the hours
    # in which their rows may have arrived, so merge manifests as soon as there are this many.
    "commit.manifest.min-count-to-merge": "20",
    # Each writer keeps its rows. A shuffle by hour would send the whole stream to one writer.
    "write.distribution-mode": "none",
}

MONEY = DecimalType(12, 2)
SHARE = DecimalType(5, 4)


# A property of attribution.attributed_checkouts, epoch milliseconds. An earlier version of the job
# answered each checkout_id once within the lookback. What it read before this time may have lines
# and attempts without an answer; marts and audit know it by this property.
ANSWERS_EACH_ATTEMPT_SINCE = "tributary.answers-each-attempt-since-ms"
EVER = "0"


class TableError(TributaryError):
    """An existing table can't be changed in place into the one that this version needs."""


@dataclass(frozen=True)
class Column:
    """A column: name, type, meaning, and whether every row has a value."""

    name: str
    type: IcebergType
    meaning: str
    is_required: bool = False


@dataclass(frozen=True)
class LakeTable:
    """A table, partitioned by the hour or day in which the job writes its rows.

    `since_property` names a table property: the time of the first start of a version that writes
    rows by the present rules; `EVER` if there was no other version.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    arrival_column: str
    partition_by: HourTransform[int] | DayTransform[int]
    since_property: str | None = None

    @property
    def schema(self) -> Schema:
        """Iceberg's schema. Columns get the first ids, in order; nested fields get the next."""
        return assign_fresh_schema_ids(
            Schema(
                *(
                    NestedField(
                        position,
                        column.name,
                        column.type,
                        required=column.is_required,
                        doc=column.meaning,
                    )
                    for position, column in enumerate(self.columns, start=1)
                )
            )
        )

    @property
    def partition_unit(self) -> str:
        """How much time one partition covers: `day` or `hour`."""
        return "day" if isinstance(self.partition_by, DayTransform) else "hour"

    @property
    def partition_name(self) -> str:
        """The name that other Iceberg writers give to the partition field (`ingested_at_hour`)."""
        return f"{self.arrival_column}_{self.partition_unit}"

    @property
    def partition_spec(self) -> PartitionSpec:
        """The partition of a new table."""
        source = self.schema.find_field(self.arrival_column)
        field = PartitionField(source.field_id, 1000, self.partition_by, self.partition_name)
        return PartitionSpec(field)


def required(name: str, type_: IcebergType, meaning: str) -> Column:
    """A column in which every row has a value."""
    return Column(name, type_, meaning, is_required=True)


_ORIGIN = (
    required("kafka_partition", IntegerType(), "Partition of the message."),
    required("kafka_offset", LongType(), "Offset of the message in its partition."),
)
_INGESTED_AT = required("ingested_at", TimestamptzType(), "When the job read the message.")
_EVENT_TIME = (
    required("occurred_at", TimestamptzType(), "Event time, by the sender's clock."),
    required(
        "is_late", BooleanType(), "Whether it was at or behind the watermark; then not attributed."
    ),
)

TOUCHPOINT = StructType(
    NestedField(1, "click_id", StringType(), required=False, doc="event_id of the click."),
    NestedField(2, "product_id", LongType(), required=False, doc="Product clicked on."),
    NestedField(3, "source", StringType(), required=False, doc="Where the click came from."),
    NestedField(4, "campaign", StringType(), required=False, doc="Campaign behind the click."),
    NestedField(5, "clicked_at", TimestamptzType(), required=False, doc="When."),
)

ICEBERG_TYPES: dict[str, IcebergType] = {
    "id": StringType(),
    "label": StringType(),
    "text": StringType(),
    "int32": IntegerType(),
    "int64": LongType(),
    "double": DoubleType(),
    "usd": MONEY,
    "share": SHARE,
}


def columns_of(event: Event) -> tuple[Column, ...]:
    """An event's fields as sent, without its event time: `occurred_at` has that."""
    return tuple(
        Column(name, ICEBERG_TYPES[field.type], field.meaning, field.required)
        for name, field in event.columns.items()
    )


_EVENTS = load_events()

CLICKSTREAM = LakeTable(
    _EVENTS.clickstream.table,
    "A valid message of the topic clickstream, on time or late.",
    (*columns_of(_EVENTS.clickstream), *_EVENT_TIME, *_ORIGIN, _INGESTED_AT),
    _INGESTED_AT.name,
    HourTransform(),
)

_PAYMENT = (
    required("payment_method", StringType(), "How the customer paid."),
    required("payment_status", StringType(), "succeeded or failed."),
    Column("failure_reason", StringType(), "Why a payment failed."),
)
_TOTALS = (
    required("total_usd", MONEY, "Goods less discount, plus shipping; rounded half-up to cents."),
    required("profit_usd", MONEY, "Our commission on the total without shipping."),
)

CHECKOUTS = LakeTable(
    _EVENTS.checkouts.table,
    "A valid message of the topic checkouts, on time or late.",
    (*columns_of(_EVENTS.checkouts), *_TOTALS, *_EVENT_TIME, *_ORIGIN, _INGESTED_AT),
    _INGESTED_AT.name,
    HourTransform(),
)

QUARANTINE = LakeTable(
    "raw.quarantine",
    "A message that breaks its contract, as received.",
    (
        required("topic", StringType(), "Topic of the message."),
        *_ORIGIN,
        Column("message_key", BinaryType(), "Key as received."),
        Column(
            "body",
            BinaryType(),
            "Value as received; the beginning of one that is too large; null for a tombstone.",
        ),
        required("reason", StringType(), "What is wrong; begins with the field's name."),
        _INGESTED_AT,
    ),
    _INGESTED_AT.name,
    DayTransform(),
)

ATTRIBUTED_CHECKOUTS = LakeTable(
    "attribution.attributed_checkouts",
    "An attempt to pay for a line of a checkout, on time, and the clicks that led to it.",
    (
        # The function's rows begin with the column that they are partitioned by.
        required("user_id", LongType(), "User who paid or tried to."),
        required("checkout_id", StringType(), "Id of the checkout; its lines have the same."),
        required("product_id", LongType(), "Product bought; with checkout_id, the line."),
        required("quantity", IntegerType(), "Number of pieces."),
        *_TOTALS,
        *_PAYMENT,
        required("checked_out_at", TimestamptzType(), "Event time, by the sender's clock."),
        Column(
            "touchpoints",
            ListType(1, TOUCHPOINT, element_required=False),
            "The user's clicks in the lookback, by time, then id. If many: the first and the last.",
        ),
        required(
            "touchpoint_count", IntegerType(), "Number of clicks in the lookback, all counted."
        ),
        Column("click_id", StringType(), "First click on the product; it earned the checkout."),
        Column("click_source", StringType(), "Where that click came from."),
        Column("click_campaign", StringType(), "Campaign behind that click."),
        Column("clicked_at", TimestamptzType(), "Event time of that click."),
        required("is_attributed", BooleanType(), "Whether a click earned the checkout."),
        required(
            "is_truncated",
            BooleanType(),
            "Whether clicks may be missing, because the user had more than state holds.",
        ),
        Column(
            "other_attempt_at",
            TimestamptzType(),
            "Event time of the line's latest other attempt that was answered before, if within the"
            " lookback. Of the two, the later one counts.",
        ),
        required("attributed_at", TimestamptzType(), "When the job wrote the row."),
    ),
    "attributed_at",
    HourTransform(),
    since_property=ANSWERS_EACH_ATTEMPT_SINCE,
)

_CHANGE = (
    required("operation", StringType(), "snapshot, insert, update or delete."),
    required("changed_at", TimestamptzType(), "Time of the commit, by PostgreSQL's clock."),
    required("source_lsn", LongType(), "Position in PostgreSQL's log; gives the order of changes."),
    required(
        "message",
        StringType(),
        "The change as received; includes columns that the shop has added since.",
    ),
    *_ORIGIN,
    _INGESTED_AT,
)

USERS_CHANGES = LakeTable(
    "raw.users_changes",
    "A change of a user of the shop: the new row, or the last values of a deleted one.",
    (
        required("user_id", LongType(), "Id of the user."),
        Column("full_name", StringType(), "Given and family name."),
        Column("gender", StringType(), "Gender, as the user gave it."),
        Column("birth_date", DateType(), "Day of birth."),
        Column("country", StringType(), "Where the user lives."),
        Column("created_at", TimestamptzType(), "When the user signed up."),
        Column("updated_at", TimestamptzType(), "When the shop last changed the row."),
        *_CHANGE,
    ),
    _INGESTED_AT.name,
    DayTransform(),
)

PRODUCTS_CHANGES = LakeTable(
    "raw.products_changes",
    "A change of a product of the shop: the new row, or the last values of a deleted one.",
    (
        required("product_id", LongType(), "Id of the product."),
        Column("product_name", StringType(), "Name of the product."),
        Column("category", StringType(), "Part of the assortment."),
        Column("unit_price_usd", MONEY, "Price of one piece."),
        Column("unit_cost_usd", MONEY, "What one piece costs the shop."),
        Column("updated_at", TimestamptzType(), "When the shop last changed the row."),
        *_CHANGE,
    ),
    _INGESTED_AT.name,
    DayTransform(),
)

AD_SPEND_CHANGES = LakeTable(
    "raw.ad_spend_changes",
    "A change of an hour's ad spend: the new row, or the last values of a deleted one.",
    (
        required("spend_hour", TimestamptzType(), "Hour in which the money was spent."),
        required("source", StringType(), "Where the ads were shown."),
        required("campaign", StringType(), "Campaign of the ads."),
        Column("spend_usd", MONEY, "Money spent in that hour so far."),
        *_CHANGE,
    ),
    _INGESTED_AT.name,
    DayTransform(),
)

# The raw table of each of the shop's tables.
CHANGES = {
    "users": USERS_CHANGES,
    "products": PRODUCTS_CHANGES,
    "ad_spend": AD_SPEND_CHANGES,
}

TABLES = (
    CLICKSTREAM,
    CHECKOUTS,
    QUARANTINE,
    ATTRIBUTED_CHECKOUTS,
    *CHANGES.values(),
)


def shop_columns(table: str) -> list[str]:
    """Return the columns that the job reads of a table of the shop."""
    return [column.name for column in CHANGES[table].columns if column not in _CHANGE]


def open_catalog(settings: Settings, secrets: Secrets) -> Catalog:
    """Open the catalog with the job's rights; the first call makes the catalog's own tables."""
    environment = flink_environment(settings, secrets)
    return SqlCatalog(
        settings.pipeline.lake.catalog,
        **{
            "uri": environment["CATALOG_URI"],
            "warehouse": settings.pipeline.lake.warehouse,
            "s3.endpoint": environment["S3_ENDPOINT"],
            "s3.region": environment["S3_REGION"],
            "s3.access-key-id": environment["S3_ACCESS_KEY_ID"],
            "s3.secret-access-key": environment["S3_SECRET_ACCESS_KEY"],
        },
    )


def ensure_tables(catalog: Catalog) -> list[str]:
    """Make missing namespaces and tables, and change existing tables where that harms no row.

    A table gets the nullable columns that it lacks, and this version's order of columns. A column
    may become nullable. New rows follow this version's partitioning; older files stay as they are.
    Returns the names of the tables that were made or changed.

    Raises:
        TableError: an existing table needs a change that can't be made in place.
        CommitFailedException: other writers won all `COMMIT_ATTEMPTS` commits.
    """
    for namespace in NAMESPACES:
        catalog.create_namespace_if_not_exists(namespace)
    return [table.name for table in TABLES if ensure_table(catalog, table)]


def ensure_table(catalog: Catalog, table: LakeTable) -> bool:
    """Make or change one table as `ensure_tables` does; returns whether anything was to do.

    Raises:
        TableError, CommitFailedException: as for `ensure_tables`.
    """
    if catalog.table_exists(table.name):
        return _evolve(catalog, table)
    catalog.create_table(
        table.name,
        table.schema,
        partition_spec=table.partition_spec,
        properties={
            **PROPERTIES,
            "comment": table.meaning,
            **({table.since_property: EVER} if table.since_property else {}),
        },
    )
    return True


@retry(
    retry=retry_if_exception_type(CommitFailedException),  # the running job commits too
    stop=stop_after_attempt(COMMIT_ATTEMPTS),
    wait=wait_random_exponential(max=5),
    reraise=True,
)
def _evolve(catalog: Catalog, table: LakeTable) -> bool:
    """Add columns, order them as in this version, and let columns become nullable.

    Older rows have null in an added column. In another order the job would be right, but slower: it
    would copy each row into the table's order (docs/decisions/0034).
    """
    existing = catalog.load_table(table.name)
    schema = existing.schema()
    if problems := find_problems(schema, table):
        raise TableError("\n".join(problems))
    known = {field.name: field for field in schema.fields}
    missing = [column for column in table.columns if column.name not in known]
    loosened = [
        column.name
        for column in table.columns
        if column.name in known and known[column.name].required and not column.is_required
    ]
    names = [column.name for column in table.columns]
    is_ordered = [field.name for field in schema.fields][: len(names)] == names
    partitions = [field.name for field in existing.spec().fields]
    since = table.since_property
    new_since = since if since not in existing.properties else None
    if is_ordered and not (loosened or new_since) and partitions == [table.partition_name]:
        return False
    with existing.transaction() as transaction:
        with transaction.update_schema() as schema_update:
            for column in missing:
                schema_update.add_column(column.name, column.type, column.meaning)
            for name in loosened:
                schema_update.make_column_optional(name)
            for name in reversed(names) if not is_ordered else []:
                schema_update.move_first(name)
        if partitions != [table.partition_name]:
            with transaction.update_spec() as spec_update:
                for name in partitions:
                    spec_update.remove_field(name)
                spec_update.add_field(
                    table.arrival_column, table.partition_by, table.partition_name
                )
        if new_since:
            transaction.set_properties({new_since: str(int(time.time() * 1000))})
    return True


def find_problems(existing: Schema, table: LakeTable) -> list[str]:
    """One line for each column that can't be changed in place: table, column, problem, remedy."""
    wanted = {field.name: field for field in table.schema.fields}
    known = {field.name: field for field in existing.fields}
    problems = [
        f"{table.name}.{name}: {problem}"
        for name, field in wanted.items()
        if (problem := _find_problem(known.get(name), field))
    ]
    return problems + [
        f"{table.name}.{name}: the table requires it, but this version does not write it; first run"
        f" `alter table {table.name} alter column {name} drop not null` in Trino"
        for name, field in known.items()
        if field.required and name not in wanted
    ]


def _find_problem(known: NestedField | None, wanted: NestedField) -> str:
    if known is None:
        return "a new column must be nullable: older rows have no value" if wanted.required else ""
    if _shape(known.field_type) != _shape(wanted.field_type):
        return (
            f"the table has {known.field_type}, but this version needs {wanted.field_type};"
            " give the new column another name"
        )
    if wanted.required and not known.required:
        return "it is nullable in the table, so older rows may have no value; keep it nullable"
    return ""


def _shape(type_: IcebergType) -> Any:
    """The type without ids and docs of nested fields, which may differ from table to table."""
    if isinstance(type_, StructType):
        return [(field.name, field.required, _shape(field.field_type)) for field in type_.fields]
    if isinstance(type_, ListType):
        return (type_.element_required, _shape(type_.element_type))
    return str(type_)
