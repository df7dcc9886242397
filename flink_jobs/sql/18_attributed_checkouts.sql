-- Grain: one attempt to pay for a line of a checkout that was on time.
-- Inputs: answers.
-- Exclusions: copies of an attempt. A checkout without a click on its product is included, with
-- is_attributed false.
-- Lateness: a row is written when the watermark reaches checked_out_at (at once if it already has),
-- and never changes.
insert into `${lake_catalog}`.attribution.attributed_checkouts (
    user_id,
    checkout_id,
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
    other_attempt_at,
    attributed_at
)
select
    user_id,
    checkout_id,
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
    other_attempt_at,
    attributed_at
from answers
