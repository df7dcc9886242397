-- Grain: on-time checkout of the last day (var live_hours) whose payment failed.
-- Input: stg_lake__attributed_checkouts. Excluded: paid checkouts, late checkouts.
-- A view: as fresh as the stream's last commit; a predicate on checked_out_at prunes hours.
{{ config(materialized='view') }}

with

failures as (
    select * from {{ ref('stg_lake__attributed_checkouts') }}
    where
        checked_out_at >= current_timestamp - interval '{{ var("live_hours") }}' hour
        and not is_paid
)

select
    checkout_id,
    checked_out_at,
    payment_method,
    coalesce(failure_reason, 'unknown') as failure_reason,
    total_usd as lost_revenue_usd,
    source,
    attributed_at
from failures
