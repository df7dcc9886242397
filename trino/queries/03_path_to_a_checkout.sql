-- Which clicks led to the latest checkouts? One row per touchpoint, in the order of the
-- clicks. is_first_on_product marks the click that earned the checkout.
-- Reads: attribution.attributed_checkouts: on-time checkouts, as the stream attributed them.
with latest as (
    select *
    from attribution.attributed_checkouts
    where
        checked_out_at >= current_timestamp - interval '1' hour
        and touchpoint_count > 1
    order by checked_out_at desc, checkout_id asc
    limit 5
)

select
    latest.checkout_id,
    latest.total_usd,
    touchpoint.step,
    touchpoint.clicked_at,
    touchpoint.source,
    touchpoint.campaign,
    touchpoint.product_id,
    touchpoint.click_id = latest.click_id as is_first_on_product
from latest
cross join
    unnest(latest.touchpoints) with ordinality
        as touchpoint (click_id, product_id, source, campaign, clicked_at, step)
order by latest.checked_out_at desc, latest.checkout_id asc, touchpoint.step asc
