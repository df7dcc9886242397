-- Which sources earned in the last hour? One row per source: its checkouts and what the paid
-- ones brought.
-- Reads: marts.live_checkouts, a view that is seconds fresh. It has no late checkouts.
select
    source,
    count(*) as checkout_count,
    count_if(is_paid) as paid_checkout_count,
    sum(revenue_usd) as revenue_usd,
    sum(profit_usd) as profit_usd
from marts.live_checkouts
where checked_out_at >= current_timestamp - interval '1' hour
group by source
order by profit_usd desc
