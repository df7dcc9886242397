-- Grain: one on-time attempt to pay for a line; the Flink job writes each one once.
-- Input: attribution.attributed_checkouts. Excluded: nothing.
-- Lateness: the source holds no late checkouts.
with

source as (
    select * from {{ source('attribution', 'attributed_checkouts') }}
),

renamed as (
    select
        checkout_id,
        cast(user_id as bigint) as user_id,
        cast(product_id as bigint) as product_id,
        cast(quantity as integer) as quantity,
        total_usd,
        profit_usd,
        payment_method,
        payment_status,
        failure_reason,
        payment_status = 'succeeded' as is_paid,
        checked_out_at,
        date_trunc('hour', checked_out_at) as event_hour,
        touchpoints,
        cast(touchpoint_count as integer) as touchpoint_count,
        click_id,
        coalesce(click_source, if(is_attributed, 'unknown', 'unattributed')) as source,
        coalesce(click_campaign, if(is_attributed, 'unknown', 'unattributed')) as campaign,
        clicked_at,
        is_attributed,
        is_truncated,
        other_attempt_at,
        attributed_at
    from source
)

select * from renamed
