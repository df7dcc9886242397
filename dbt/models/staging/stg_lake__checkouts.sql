-- Grain: one checkout message, duplicates included (int_checkouts_deduplicated drops
-- them).
-- Input: raw.checkouts. Excluded: nothing. Late rows: included.
with

source as (
    select * from {{ source('raw', 'checkouts') }}
),

renamed as (
    select
        checkout_id,
        cast(user_id as bigint) as user_id,
        session_id,
        cast(product_id as bigint) as product_id,
        cast(quantity as integer) as quantity,
        total_usd,
        profit_usd,
        payment_method,
        payment_status,
        failure_reason,
        payment_status = 'succeeded' as is_paid,
        occurred_at as checked_out_at,
        date_trunc('hour', occurred_at) as event_hour,
        is_late,
        kafka_partition,
        kafka_offset,
        ingested_at
    from source
)

select * from renamed
