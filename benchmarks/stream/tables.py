"""The tables of one run: drops those of the run before and creates them again."""

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType, TimestamptzType

from flink_jobs.lake_tables import MONEY, TABLES, ensure_tables

NAMESPACE = "benchmark"
PEERS_TABLE = f"{NAMESPACE}.attributed_checkouts"
OUR_TABLE = "attribution.attributed_checkouts"
# The peers' answers, as in tutorials: one row for each checkout, upserted by its id.
PEERS_SCHEMA = Schema(
    NestedField(1, "checkout_id", StringType(), required=True),
    NestedField(2, "user_id", LongType()),
    NestedField(3, "product_id", LongType()),
    NestedField(4, "total_usd", MONEY),
    NestedField(5, "profit_usd", MONEY),
    NestedField(6, "payment_status", StringType()),
    NestedField(7, "checked_out_at", TimestamptzType()),
    NestedField(8, "click_id", StringType()),
    NestedField(9, "click_source", StringType()),
    NestedField(10, "click_campaign", StringType()),
    NestedField(11, "clicked_at", TimestamptzType()),
    identifier_field_ids=[1],
)
PROPERTIES = {"format-version": "2", "write.parquet.compression-codec": "zstd"}


def renew_tables(catalog: Catalog, *, is_upsert: bool) -> None:
    """Make all our tables and the peers' table empty."""
    for name in (*(table.name for table in TABLES), PEERS_TABLE):
        try:
            catalog.drop_table(name)
        except NoSuchTableError:
            continue
    ensure_tables(catalog)
    catalog.create_namespace_if_not_exists(NAMESPACE)
    catalog.create_table(
        PEERS_TABLE,
        PEERS_SCHEMA,
        properties={**PROPERTIES, "write.upsert.enabled": str(is_upsert).lower()},
    )
