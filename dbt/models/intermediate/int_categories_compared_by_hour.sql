-- Grain: hour and category. The rows of category_popularity_hourly, computed from scratch.
-- Inputs: int_events_deduplicated, by the hour of the event, joined to the version of
-- dim_products at that time; attributed_checkouts, by the hour of the checkout, which
-- holds the category at that time.
-- Excluded: nothing. A failed payment earns nothing.
-- Late rows: included, in the hour in which they happened.
with

events as (
    select
        events.event_hour,
        products.category,
        events.event_type,
        cast(null as boolean) as is_paid,
        cast(null as integer) as quantity,
        cast(null as decimal(12, 2)) as total_usd,
        cast(null as decimal(12, 2)) as profit_usd,
        greatest(
            events.ingested_at, coalesce(products.known_at, events.ingested_at)
        ) as latest_ingested_at
    from {{ ref('int_events_deduplicated') }} as events
    left join {{ ref('dim_products') }} as products
        on
            events.product_id = products.product_id
            and events.occurred_at >= products.valid_from
            and events.occurred_at < products.valid_to
),

checkouts as (
    select
        event_hour,
        category,
        'checkout' as event_type,
        is_paid,
        quantity,
        total_usd,
        profit_usd,
        latest_ingested_at
    from {{ ref('attributed_checkouts') }}
),

activities as (
    select * from events
    union all
    select * from checkouts
),

categorized as (
    select
        event_hour,
        coalesce(category, 'unknown') as category,
        event_type,
        is_paid,
        quantity,
        total_usd,
        profit_usd,
        latest_ingested_at
    from activities
)

select
    event_hour,
    category,
    count_if(event_type = 'page_view') as page_view_count,
    count_if(event_type = 'click') as click_count,
    count_if(event_type = 'add_to_cart') as cart_count,
    count_if(event_type = 'checkout') as checkout_count,
    count_if(is_paid) as paid_checkout_count,
    coalesce(sum(if(is_paid, quantity)), 0) as unit_count,
    cast(sum(if(is_paid, total_usd, 0)) as decimal(18, 2)) as revenue_usd,
    cast(sum(if(is_paid, profit_usd, 0)) as decimal(18, 2)) as profit_usd,
    max(latest_ingested_at) as latest_ingested_at
from categorized
group by event_hour, category
