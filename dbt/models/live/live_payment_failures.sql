-- Grain: one on-time checkout of the last day (var live_hours) whose payment failed.
-- Input: live_checkouts. Excluded: paid checkouts, late checkouts.
-- A view: as fresh as the last commit of the stream. A predicate on checked_out_at prunes
-- files.
with

failures as (
    select * from {{ ref('live_checkouts') }}
    where not is_paid
)

select
    checkout_id,
    checked_out_at,
    payment_method,
    failure_reason,
    total_usd as lost_revenue_usd,
    category,
    source,
    campaign,
    attributed_at
from failures
