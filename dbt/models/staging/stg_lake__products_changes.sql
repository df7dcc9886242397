-- Grain: one change of a row of the shop's table products. Holds the row after the change,
-- or the row before it if the change is a delete.
-- Input: raw.products_changes. Excluded: nothing. A snapshot is the row as the change
-- capture found it at the start.
with

source as (
    select * from {{ source('raw', 'products_changes') }}
),

renamed as (
    select
        cast(product_id as bigint) as product_id,
        product_name,
        category,
        unit_price_usd,
        unit_cost_usd,
        operation,
        operation = 'delete' as is_deleted,
        changed_at,
        date_trunc('hour', changed_at) as change_hour,
        source_lsn,
        kafka_partition,
        kafka_offset,
        ingested_at
    from source
)

select * from renamed
