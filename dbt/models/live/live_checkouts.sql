-- Grain: one on-time line of a checkout of the last day (var live_hours), seconds after it
-- happened.
-- Inputs: int_live_answers, with the product and the buyer at the time of the checkout.
-- Excluded: late checkouts, which the hourly marts hold.
-- A view: as fresh as the last commit of the stream. A predicate on checked_out_at prunes
-- files.
{%- set products, users = ref('dim_products'), ref('dim_users') %}

with

checkouts as (
    select * from {{ ref('int_live_answers') }}
)

select
    checkouts.checkout_id,
    checkouts.checked_out_at,
    checkouts.product_id,
    {{ as_of(products, 'product_name', 'checkouts.product_id', 'checkouts.checked_out_at') }}
        as product_name,
    {{ as_of(products, 'category', 'checkouts.product_id', 'checkouts.checked_out_at') }}
        as category,
    {{ as_of(users, 'gender', 'checkouts.user_id', 'checkouts.checked_out_at') }}
        as gender,
    {{ as_of(users, 'country', 'checkouts.user_id', 'checkouts.checked_out_at') }}
        as country,
    checkouts.quantity,
    checkouts.payment_method,
    checkouts.payment_status,
    if(not checkouts.is_paid, coalesce(checkouts.failure_reason, 'unknown')) as failure_reason,
    checkouts.is_paid,
    checkouts.total_usd,
    cast(if(checkouts.is_paid, checkouts.total_usd, 0) as decimal(12, 2)) as revenue_usd,
    cast(if(checkouts.is_paid, checkouts.profit_usd, 0) as decimal(12, 2)) as profit_usd,
    checkouts.source,
    checkouts.campaign,
    checkouts.is_attributed,
    checkouts.touchpoint_count,
    date_diff('second', checkouts.clicked_at, checkouts.checked_out_at)
        as click_to_checkout_seconds,
    checkouts.attributed_at
from checkouts
