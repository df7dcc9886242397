-- Grain: hour, source, campaign and attribution model. The rows of
-- return_on_ad_spend_hourly, computed from scratch.
-- Inputs: int_ad_spend_by_hour, by the hour of spending; int_touchpoint_credits, by the
-- hour of the checkout. An ad may pay off in a later hour than the one it cost money in.
-- Excluded: failed payments, which return nothing; checkouts without touchpoints, which no
-- ad led to.
-- Late clicks and checkouts: included, in the hour in which they happened.
with

activities as (
    select
        spends.spend_hour as event_hour,
        spends.source,
        spends.campaign,
        models.model,
        spends.spend_usd,
        cast(0 as decimal(10, 9)) as credited_paid_checkout_count,
        cast(0 as decimal(12, 2)) as revenue_usd,
        cast(0 as decimal(12, 2)) as profit_usd,
        spends.latest_ingested_at
    from {{ ref('int_ad_spend_by_hour') }} as spends
    cross join unnest(array[{{ attribution_model_names() }}]) as models (model)
    union all
    select
        event_hour,
        source,
        campaign,
        model,
        cast(0 as decimal(18, 2)) as spend_usd,
        if(is_paid, credit, 0) as credited_paid_checkout_count,
        if(is_paid, credited_total_usd, 0) as revenue_usd,
        if(is_paid, credited_profit_usd, 0) as profit_usd,
        latest_ingested_at
    from {{ ref('int_touchpoint_credits') }}
),

summed as (
    select
        event_hour,
        source,
        campaign,
        model,
        sum(spend_usd) as spend_usd,
        sum(credited_paid_checkout_count) as credited_paid_checkout_count,
        sum(revenue_usd) as revenue_usd,
        sum(profit_usd) as profit_usd,
        max(latest_ingested_at) as latest_ingested_at
    from activities
    group by event_hour, source, campaign, model
)

select
    event_hour,
    source,
    campaign,
    model,
    cast(spend_usd as decimal(18, 2)) as spend_usd,
    cast(credited_paid_checkout_count as decimal(18, 9)) as credited_paid_checkout_count,
    cast(revenue_usd as decimal(18, 2)) as revenue_usd,
    cast(profit_usd as decimal(18, 2)) as profit_usd,
    cast(1e0 * revenue_usd / nullif(spend_usd, 0) as decimal(18, 4)) as return_on_ad_spend,
    cast(
        1e0 * spend_usd / nullif(credited_paid_checkout_count, 0) as decimal(18, 2)
    ) as cost_per_acquisition_usd,
    latest_ingested_at
from summed
