-- Grain: one click or one checkout that was on time. A checkout has a checkout_id, a click a
-- click_id.
-- Inputs: as 03_messages.sql says.
-- Exclusions: events other than clicks (they earn nothing), and malformed messages.
-- Lateness: late rows are excluded. The marts attribute the checkouts that they affect again.
create temporary table journey_messages (
    user_id bigint,
    click_id string,
    checkout_id string,
    product_id bigint,
    source string,
    campaign string,
    quantity int,
    total_usd decimal(12, 2),
    profit_usd decimal(12, 2),
    payment_method string,
    payment_status string,
    failure_reason string,
    occurred_at_ms bigint
) with (
    'rows' = 'journeys'
) like messages (
    excluding all
    including options
)
