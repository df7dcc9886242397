-- Grain: hour, source and attribution model. The rows of source_performance_hourly,
-- computed from scratch.
-- Inputs: int_clicks_deduplicated, by the hour of the click; attributed_checkouts and
-- int_touchpoint_credits, by the hour of the checkout. A click and the checkout that it
-- led to may be in different hours.
-- Excluded: nothing. A checkout without touchpoints is `unattributed`.
-- Late clicks and checkouts: included, in the hour in which they happened.
with

models as (
    select names.model
    from unnest(array[{{ attribution_model_names() }}]) as names (model)
),

clicks as (
    select
        event_hour,
        source,
        count(*) as click_count,
        count(distinct user_id) as visitor_count,
        max(ingested_at) as latest_ingested_at
    from {{ ref('int_clicks_deduplicated') }}
    group by event_hour, source
),

unattributed as (
    select
        event_hour,
        count(*) as checkout_count,
        count_if(is_paid) as paid_checkout_count,
        sum(if(is_paid, total_usd, 0)) as revenue_usd,
        sum(if(is_paid, profit_usd, 0)) as profit_usd,
        max(latest_ingested_at) as latest_ingested_at
    from {{ ref('attributed_checkouts') }}
    where cardinality(touchpoints) = 0
    group by event_hour
),

activities as (
    select
        clicks.event_hour,
        clicks.source,
        models.model,
        clicks.click_count,
        clicks.visitor_count,
        cast(0 as decimal(18, 9)) as credited_checkout_count,
        cast(0 as decimal(18, 9)) as credited_paid_checkout_count,
        cast(0 as decimal(18, 2)) as revenue_usd,
        cast(0 as decimal(18, 2)) as profit_usd,
        clicks.latest_ingested_at
    from clicks
    cross join models
    union all
    select
        unattributed.event_hour,
        'unattributed' as source,
        models.model,
        0 as click_count,
        0 as visitor_count,
        unattributed.checkout_count as credited_checkout_count,
        unattributed.paid_checkout_count as credited_paid_checkout_count,
        unattributed.revenue_usd,
        unattributed.profit_usd,
        unattributed.latest_ingested_at
    from unattributed
    cross join models
    union all
    select
        event_hour,
        source,
        model,
        0 as click_count,
        0 as visitor_count,
        credit as credited_checkout_count,
        if(is_paid, credit, 0) as credited_paid_checkout_count,
        if(is_paid, credited_total_usd, 0) as revenue_usd,
        if(is_paid, credited_profit_usd, 0) as profit_usd,
        latest_ingested_at
    from {{ ref('int_touchpoint_credits') }}
)

select
    event_hour,
    source,
    model,
    sum(click_count) as click_count,
    sum(visitor_count) as visitor_count,
    cast(sum(credited_checkout_count) as decimal(18, 9)) as credited_checkout_count,
    cast(sum(credited_paid_checkout_count) as decimal(18, 9)) as credited_paid_checkout_count,
    cast(sum(revenue_usd) as decimal(18, 2)) as revenue_usd,
    cast(sum(profit_usd) as decimal(18, 2)) as profit_usd,
    max(latest_ingested_at) as latest_ingested_at
from activities
group by event_hour, source, model
