-- Grain: a checkout that was on time, its id once within the lookback.
-- Inputs: journey_events.
-- Exclusions: none; a checkout without a click is here, not attributed.
-- Lateness: written when the watermark reaches checked_out_at; never changed afterwards.
insert into `${lake_catalog}`.attribution.attributed_checkouts (
    checkout_id,
    user_id,
    product_id,
    quantity,
    total_usd,
    profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    checked_out_at,
    touchpoints,
    touchpoint_count,
    click_id,
    click_source,
    click_campaign,
    clicked_at,
    is_attributed,
    is_truncated,
    attributed_at
)
select
    checkout_id,
    user_id,
    product_id,
    quantity,
    total_usd,
    profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    checked_out_at,
    touchpoints,
    touchpoint_count,
    click_id,
    click_source,
    click_campaign,
    clicked_at,
    click_id is not null as is_attributed,
    is_truncated,
    cast(current_timestamp as timestamp_ltz(6)) as attributed_at
from attribute(
    event => table journey_events partition by user_id,
    lookback_seconds => ${lookback_seconds},
    max_touchpoints => ${max_touchpoints},
    max_clicks_per_user => ${max_clicks_per_user},
    uid => 'attribute'
)
