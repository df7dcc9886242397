-- Grain: one click message, duplicates included (int_clicks_deduplicated drops them).
-- Input: raw.clickstream. Excluded: page views, add-to-carts, logouts. Late rows:
-- included.
with

source as (
    select * from {{ source('raw', 'clickstream') }}
),

renamed as (
    select
        event_id as click_id,
        cast(user_id as bigint) as user_id,
        session_id,
        cast(product_id as bigint) as product_id,
        coalesce(source, 'unknown') as source,
        coalesce(campaign, 'unknown') as campaign,
        url,
        device,
        occurred_at as clicked_at,
        date_trunc('hour', occurred_at) as event_hour,
        is_late,
        kafka_partition,
        kafka_offset,
        ingested_at
    from source
    where event_type = 'click'
)

select * from renamed
