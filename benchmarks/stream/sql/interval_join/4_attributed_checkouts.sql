-- The widely copied formulation: an interval left join, and of a checkout's matches the first by
-- ROW_NUMBER. Its answers change while matches come in, so the sink is an upsert by checkout_id.
-- Ordered by the click's time as a plain value: by the time attribute itself, Flink takes the first
-- with a deduplication that drops what is behind the watermark, as most clicks of a checkout are.
-- Exclusions: checkouts without an id, which would end the job, and those dated nowhere near.
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
