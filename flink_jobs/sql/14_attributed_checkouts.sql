-- Grain: one checkout that was on time; checkout_id is unique within the lookback.
-- Inputs: answers.
-- Exclusions: repeats of a checkout_id within the lookback. A checkout without a click on its
-- product is included, with is_attributed false.
-- Lateness: a row is written when the watermark reaches checked_out_at (at once if it already has),
-- and never changes.
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
from answers
