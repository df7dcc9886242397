-- Grain: checkout, touchpoint and attribution model. In each model the credit of a
-- checkout is 1.
-- Inputs: attributed_checkouts, int_source_weights_by_day. Excluded: checkouts without
-- touchpoints.
-- Late clicks and checkouts: included, as restated.
-- Credit and money are differences of rounded running sums: what a touchpoint and those
-- before it have together, minus what those before it have. The parts therefore add up to
-- the whole exactly.
with

checkouts as (
    select
        user_id,
        checkout_id,
        product_id,
        checked_out_at,
        event_hour,
        is_paid,
        total_usd,
        profit_usd,
        latest_ingested_at,
        transform(
            touchpoints,
            touchpoint -> cast(
                row(
                    touchpoint.click_id,
                    coalesce(touchpoint.source, 'unknown'),
                    coalesce(touchpoint.campaign, 'unknown'),
                    touchpoint.clicked_at
                ) as row(
                    click_id varchar,
                    source varchar,
                    campaign varchar,
                    clicked_at timestamp(6) with time zone
                )
            )
        ) as touchpoints
    from {{ ref('attributed_checkouts') }}
    where cardinality(touchpoints) > 0
),

source_weights as (
    select * from {{ ref('int_source_weights_by_day') }}
),

first_weights as (
    select
        computed_at,
        markov_weights,
        shapley_weights
    from source_weights
    where is_first and weight_day = date(computed_at)
),

learnt as (
    select
        checkouts.*,
        coalesce(source_weights.computed_at, first_weights.computed_at) as learnt_at,
        coalesce(source_weights.markov_weights, first_weights.markov_weights) as markov_weights,
        coalesce(
            source_weights.shapley_weights, first_weights.shapley_weights
        ) as shapley_weights
    from checkouts
    left join source_weights
        on
            date(checkouts.event_hour) = source_weights.weight_day
            and checkouts.event_hour >= source_weights.applies_from
            and checkouts.event_hour < source_weights.applies_until
    left join first_weights on true
),

weighed as (
    select
        learnt.*,
        models.model,
        models.is_learnt,
        reduce(
            models.weights,
            array[0e0],
            (sums, weight) -> sums || (element_at(sums, -1) + weight),
            sums -> if(
                element_at(sums, -1) > 0,
                transform(sums, part -> part / element_at(sums, -1)),
                transform(
                    sequence(0, cardinality(sums) - 1),
                    number -> 1e0 * number / (cardinality(sums) - 1)
                )
            )
        ) as shares
    from learnt
    cross join
        unnest(
            array[
                {{ weights_of_all_models() | indent(16) }}
            ]
        ) as models (model, weights, is_learnt)
),

shared as (
    select
        *,
        transform(shares, share -> cast(share as decimal(10, 9))) as credits
    from weighed
)

select
    shared.user_id,
    shared.checkout_id,
    shared.product_id,
    shared.checked_out_at,
    shared.event_hour,
    shared.is_paid,
    shared.total_usd,
    shared.profit_usd,
    touches.touch_number,
    touches.click_id,
    touches.source,
    touches.campaign,
    shared.model,
    cast(touches.credit_until - touches.credit_before as decimal(10, 9)) as credit,
    cast(
        round(shared.total_usd * touches.credit_until, 2)
        - round(shared.total_usd * touches.credit_before, 2) as decimal(12, 2)
    ) as credited_total_usd,
    cast(
        round(shared.profit_usd * touches.credit_until, 2)
        - round(shared.profit_usd * touches.credit_before, 2) as decimal(12, 2)
    ) as credited_profit_usd,
    if(
        shared.is_learnt and shared.learnt_at > shared.latest_ingested_at,
        shared.learnt_at,
        shared.latest_ingested_at
    ) as latest_ingested_at
from shared
cross join
    unnest(
        shared.touchpoints,
        slice(shared.credits, 1, cardinality(shared.touchpoints)),
        slice(shared.credits, 2, cardinality(shared.touchpoints))
    ) with ordinality as touches (
        click_id, source, campaign, clicked_at, credit_before, credit_until, touch_number
    )
