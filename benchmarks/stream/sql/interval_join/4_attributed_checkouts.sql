-- The query that tutorials copy: an interval left join, then ROW_NUMBER picks the first of a
-- checkout's matches. Its answers change while matches arrive, so the sink upserts by checkout_id.
-- The order is by the click's time as a plain value. Ordered by the time attribute, Flink would use
-- a deduplication that drops rows behind the watermark, and most of a checkout's clicks are behind.
-- Exclusions: checkouts without an id, which would end the job, and those dated outside 2000 to
-- 2090.
insert into `${lake_catalog}`.benchmark.attributed_checkouts
select
    checkout_id,
    user_id,
    product_id,
    total_usd,
    cast(round((total_usd - shipping_usd) * commission_share, 2) as decimal(12, 2)) as profit_usd,
    payment_status,
    cast(checked_out_at as timestamp_ltz(6)) as checked_out_at,
    click_id,
    click_source,
    click_campaign,
    cast(clicked_at as timestamp_ltz(6)) as clicked_at
from (
    select
        checkouts.checkout_id,
        checkouts.user_id,
        checkouts.product_id,
        checkouts.shipping_usd,
        checkouts.commission_share,
        checkouts.payment_status,
        checkouts.checked_out_at,
        cast(
            round(
                checkouts.quantity * checkouts.unit_price_usd * (1 - checkouts.discount_share)
                + checkouts.shipping_usd,
                2
            ) as decimal(12, 2)
        ) as total_usd,
        clicks.event_id as click_id,
        clicks.source as click_source,
        clicks.campaign as click_campaign,
        clicks.clicked_at,
        row_number() over (
            partition by checkouts.checkout_id
            order by cast(clicks.clicked_at as timestamp_ltz(6))
        ) as click_rank
    from (
        select * from checkouts where checkout_id is not null and checked_out_at > to_timestamp_ltz(0, 3)
    ) as checkouts
    left join (select * from clicks where event_type = 'click') as clicks
        on checkouts.user_id = clicks.user_id
        and checkouts.product_id = clicks.product_id
        and checkouts.checked_out_at
        between clicks.clicked_at and clicks.clicked_at + interval '1' second * ${lookback_seconds}
)
where click_rank = 1
