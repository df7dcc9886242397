-- Grain: on-time checkout of the last day (var live_hours), seconds after it happened.
-- Input: stg_lake__attributed_checkouts. Excluded: late checkouts (the hourly marts have them).
-- A view: as fresh as the stream's last commit; a predicate on checked_out_at prunes hours.
{{ config(materialized='view') }}

with

checkouts as (
    select * from {{ ref('stg_lake__attributed_checkouts') }}
    where checked_out_at >= current_timestamp - interval '{{ var("live_hours") }}' hour
)

select
    checkout_id,
    checked_out_at,
    product_id,
    quantity,
    payment_method,
    payment_status,
    is_paid,
    total_usd,
    cast(if(is_paid, total_usd, 0) as decimal(12, 2)) as revenue_usd,
    cast(if(is_paid, profit_usd, 0) as decimal(12, 2)) as profit_usd,
    source,
    campaign,
    is_attributed,
    touchpoint_count,
    date_diff('second', clicked_at, checked_out_at) as click_to_checkout_seconds,
    attributed_at
from checkouts
