-- Grain: one click or one checkout that was on time. A checkout has a checkout_id, a click a
-- click_id.
-- Inputs: messages.
-- Exclusions: events other than clicks (they earn nothing), clicks of unknown users or with
-- unknown ids (attribution.unknown_user_ids, attribution.unknown_ids) and malformed messages.
-- Lateness: late rows are excluded. The marts attribute the checkouts that they affect again.
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
    and (
        topic = '${checkouts_topic}'
        or event_type = 'click' and ${is_of_a_known_user} and ${has_a_known_id}
    )
