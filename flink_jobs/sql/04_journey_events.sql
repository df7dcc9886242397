-- Grain: a click or a checkout that was on time; a checkout has checkout_id, a click has click_id.
-- Inputs: messages.
-- Exclusions: other events (they earn nothing) and malformed messages.
-- Lateness: late rows are not here; the marts attribute again what they touch.
create temporary view journey_events as
select
    user_id,
    event_id as click_id,
    checkout_id,
    product_id,
    source,
    campaign,
    quantity,
    total_usd,
    profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    occurred_at_ms
from messages
where reason is null
    and not is_late
    and (topic = '${checkouts_topic}' or event_type = 'click')
