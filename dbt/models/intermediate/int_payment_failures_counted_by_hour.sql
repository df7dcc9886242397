-- Grain: hour of checkout, payment method and failure reason. The rows of
-- payment_failures_hourly, computed from scratch.
-- Input: attributed_checkouts. Excluded: paid checkouts.
-- Late checkouts: included, in the hour in which they happened.
with

failures as (
    select * from {{ ref('attributed_checkouts') }}
    where not is_paid
)

select
    event_hour,
    payment_method,
    coalesce(failure_reason, 'unknown') as failure_reason,
    count(*) as failed_checkout_count,
    count(distinct user_id) as affected_user_count,
    cast(sum(total_usd) as decimal(18, 2)) as lost_revenue_usd,
    max(latest_ingested_at) as latest_ingested_at
from failures
group by event_hour, payment_method, coalesce(failure_reason, 'unknown')
