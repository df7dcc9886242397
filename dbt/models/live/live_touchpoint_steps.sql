-- Grain: one step of a buyer's path: from a touchpoint to the next one, or to the
-- checkout. Covers the on-time checkouts of the last day (var live_hours), line by line.
-- Input: int_live_answers. Excluded: late checkouts; touchpoints before the
-- last three of a checkout.
-- Touchpoints are numbered backwards from the checkout, so no path runs in a circle.
-- A view: as fresh as the last commit of the stream. A predicate on checked_out_at prunes
-- files.
with

checkouts as (
    select
        checkout_id,
        checked_out_at,
        source,
        campaign,
        is_paid,
        slice(
            reverse(transform(touchpoints, each -> coalesce(each.source, 'unknown'))), 1, 3
        ) as sources
    from {{ ref('int_live_answers') }}
    where touchpoint_count > 0
),

named as (
    select
        *,
        zip_with(
            sources,
            slice(array['last', '2nd last', '3rd last'], 1, cardinality(sources)),
            (source_of_step, place) -> source_of_step || ' (' || place || ')'
        ) as names
    from checkouts
)

select
    named.checkout_id,
    named.checked_out_at,
    named.source,
    named.campaign,
    named.is_paid,
    steps.from_step,
    if(
        steps.step = 1,
        if(named.is_paid, 'paid', 'payment failed'),
        named.names[steps.step - 1]
    ) as to_step
from named
cross join unnest(named.names) with ordinality as steps (from_step, step)
