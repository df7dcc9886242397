-- Grain: one event message, duplicates included (int_events_deduplicated drops them).
-- Input: raw.clickstream. Excluded: nothing. Late rows: included.
with

source as (
    select * from {{ source('raw', 'clickstream') }}
),

renamed as (
    select
        event_id,
        event_type,
        cast(user_id as bigint) as user_id,
        session_id,
        cast(product_id as bigint) as product_id,
        coalesce(device, 'unknown') as device,
        latitude,
        longitude,
        occurred_at,
        date_trunc('hour', occurred_at) as event_hour,
        is_late,
        kafka_partition,
        kafka_offset,
        ingested_at
    from source
)

select * from renamed
