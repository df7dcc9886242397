-- Grain: one attempt to pay for a line of a checkout that was on time: user_id, checkout_id,
-- product_id and event time.
-- Inputs: journey_events.
-- Exclusions: copies of an attempt.
-- Lateness: a row leaves the function when the watermark reaches checked_out_at, at once if it already
-- has.
-- A query, which the submission makes a view of: Flink can't plan an insert with a column list that
-- reads such a function itself (FLINK-40694), nor parse `create view` over its `partition by`.
select *
from attribute(
    event => table journey_events partition by user_id,
    lookback_seconds => ${lookback_seconds},
    max_touchpoints => ${max_touchpoints},
    max_clicks_per_user => ${max_clicks_per_user},
    unknown_ids => ${unknown_ids},
    uid => 'attribute'
)
