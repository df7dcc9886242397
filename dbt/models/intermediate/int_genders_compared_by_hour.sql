-- Grain: hour of checkout and gender. The rows of customer_gender_hourly, computed from
-- scratch.
-- Input: attributed_checkouts, which holds the buyer's gender at the time of the checkout.
-- Excluded: nothing. A failed payment earns nothing.
-- Late checkouts: included, in the hour in which they happened.
with

checkouts as (
    select
        event_hour,
        coalesce(gender, 'unknown') as gender,
        user_id,
        quantity,
        is_paid,
        total_usd,
        profit_usd,
        latest_ingested_at
    from {{ ref('attributed_checkouts') }}
)

select
    event_hour,
    gender,
    count(*) as checkout_count,
    count_if(is_paid) as paid_checkout_count,
    count(distinct if(is_paid, user_id)) as buyer_count,
    coalesce(sum(if(is_paid, quantity)), 0) as unit_count,
    cast(sum(if(is_paid, total_usd, 0)) as decimal(18, 2)) as revenue_usd,
    cast(sum(if(is_paid, profit_usd, 0)) as decimal(18, 2)) as profit_usd,
    max(latest_ingested_at) as latest_ingested_at
from checkouts
group by event_hour, gender
