-- Grain: hour of checkout. The rows of revenue_hourly, computed from scratch.
-- Input: attributed_checkouts. Excluded: nothing. A failed payment earns nothing.
-- Late checkouts: included, in the hour in which they happened.
with

checkouts as (
    select * from {{ ref('attributed_checkouts') }}
)

select
    event_hour,
    count(*) as checkout_count,
    count_if(is_paid) as paid_checkout_count,
    count_if(is_late) as late_checkout_count,
    count(distinct if(is_paid, user_id)) as buyer_count,
    coalesce(sum(if(is_paid, quantity)), 0) as unit_count,
    cast(sum(if(is_paid, total_usd, 0)) as decimal(18, 2)) as revenue_usd,
    cast(sum(if(is_paid, profit_usd, 0)) as decimal(18, 2)) as profit_usd,
    cast(sum(if(is_paid, 0, total_usd)) as decimal(18, 2)) as lost_revenue_usd,
    1e0 * count_if(not is_paid) / count(*) as failed_share,
    max(latest_ingested_at) as latest_ingested_at
from checkouts
group by event_hour
