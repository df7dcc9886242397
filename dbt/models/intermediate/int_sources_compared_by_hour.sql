-- Grain: hour and source. What source_performance_hourly holds, computed from scratch.
-- Inputs: int_clicks_deduplicated (by the click's hour) and stg_lake__attributed_checkouts (by
-- the checkout's hour): a click and the checkout that it earned may stand in different hours.
-- Late clicks: counted, but they earn nothing. Late checkouts: not in the stream's answer.
with

clicks as (
    select
        click_hour as activity_hour,
        source,
        user_id as visitor_id,
        cast(null as boolean) as is_paid,
        cast(null as decimal(12, 2)) as total_usd,
        cast(null as decimal(12, 2)) as profit_usd,
        ingested_at
    from {{ ref('int_clicks_deduplicated') }}
),

checkouts as (
    select
        checkout_hour as activity_hour,
        source,
        cast(null as bigint) as visitor_id,
        is_paid,
        total_usd,
        profit_usd,
        attributed_at as ingested_at
    from {{ ref('stg_lake__attributed_checkouts') }}
),

activities as (
    select * from clicks
    union all
    select * from checkouts
)

select
    activity_hour,
    source,
    count(visitor_id) as click_count,
    count(distinct visitor_id) as visitor_count,
    count(is_paid) as checkout_count,
    count_if(is_paid) as paid_checkout_count,
    cast(sum(if(is_paid, total_usd, 0)) as decimal(18, 2)) as revenue_usd,
    cast(sum(if(is_paid, profit_usd, 0)) as decimal(18, 2)) as profit_usd,
    max(ingested_at) as latest_ingested_at
from activities
group by activity_hour, source
