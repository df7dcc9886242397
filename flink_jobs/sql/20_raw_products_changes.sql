-- Grain: one change of a row in the shop's table products; (kafka_partition, kafka_offset) is
-- unique. The changes of a product are in the order of kafka_offset, and of source_lsn.
-- Inputs: products_changes.
-- Exclusions: messages with a fault, or without the row's key, which go to raw.quarantine.
-- Lateness: none.
insert into `${lake_catalog}`.`raw`.products_changes (
    product_id,
    product_name,
    category,
    unit_price_usd,
    unit_cost_usd,
    updated_at,
    operation,
    changed_at,
    source_lsn,
    message,
    kafka_partition,
    kafka_offset,
    ingested_at
)
select
    product_id,
    product_name,
    category,
    unit_price_usd,
    unit_cost_usd,
    updated_at,
    operation,
    changed_at,
    source_lsn,
    message,
    kafka_partition,
    kafka_offset,
    cast(current_timestamp as timestamp_ltz(6)) as ingested_at
from products_changes
where fault is null
    and missing is null
