-- What had each source earned as reported a minute ago, and what as restated since?
-- Reads: attribution.attributed_checkouts as it was. It is append-only, so the same moment
-- gives the same answer as long as snapshots are kept. The query fails if the table did not
-- exist yet at that moment. Also marts.attributed_checkouts as it is, built on a schedule.
with reported as (
    select
        coalesce(click_source, if(is_attributed, 'unknown', 'unattributed')) as source,
        count(*) as checkout_count,
        sum(if(payment_status = 'succeeded', total_usd, 0)) as revenue_usd
    from attribution.attributed_checkouts
    for timestamp as of current_timestamp - interval '1' minute -- noqa: PRS
    where checked_out_at >= current_timestamp - interval '24' hour
    group by 1
),

restated as (
    select
        source,
        count(*) as checkout_count,
        sum(if(is_paid, total_usd, 0)) as revenue_usd,
        count_if(is_restated) as restated_checkout_count
    from marts.attributed_checkouts
    where checked_out_at >= current_timestamp - interval '24' hour
    group by source
)

select
    coalesce(reported.source, restated.source) as source,
    reported.checkout_count as reported_checkout_count,
    restated.checkout_count,
    restated.restated_checkout_count,
    reported.revenue_usd as reported_revenue_usd,
    restated.revenue_usd
from reported
full join restated on reported.source = restated.source
order by restated.revenue_usd desc
