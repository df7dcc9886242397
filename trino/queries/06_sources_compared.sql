-- What did the clicks of each source lead to in the last day, by first touch? A click and its
-- checkout may be in different hours, so the ratio covers the whole day. Other attribution
-- models give other answers.
-- Reads: marts.source_performance_hourly, built on a schedule.
select
    source,
    sum(click_count) as click_count,
    sum(credited_checkout_count) as checkout_count,
    sum(revenue_usd) as revenue_usd,
    sum(profit_usd) as profit_usd,
    round(
        1e0 * sum(credited_checkout_count) / nullif(sum(click_count), 0), 3
    ) as checkouts_per_click
from marts.source_performance_hourly
where
    event_hour >= current_timestamp - interval '24' hour
    and model = 'first_touch'
group by source
order by revenue_usd desc
