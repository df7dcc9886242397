-- How much did each hour of the last day bring, and how much did failed payments lose?
-- Reads: marts.revenue_hourly, built on a schedule. Late checkouts are included.
select
    event_hour,
    checkout_count,
    revenue_usd,
    profit_usd,
    lost_revenue_usd,
    round(1e0 * (checkout_count - paid_checkout_count) / checkout_count, 3) as failed_share
from marts.revenue_hourly
where event_hour >= date_trunc('hour', current_timestamp) - interval '24' hour
order by event_hour desc
