-- Grain: a change of a row of the shop's table products, each (kafka_partition, kafka_offset) once;
-- a product's changes are in the order of kafka_offset, and of source_lsn.
-- Inputs: products_changes.
-- Exclusions: messages that can't be read (raw.quarantine).
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
