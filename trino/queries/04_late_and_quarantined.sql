-- Which messages were late or broken in the last hour? Late rows by topic, and messages that
-- broke the contract by reason, each with the time of the newest one.
-- Reads: raw.clickstream, raw.checkouts, raw.quarantine.
select
    'clickstream' as topic,
    'late' as what,
    count(*) as message_count,
    max(ingested_at) as newest_at
from raw.clickstream
where is_late and ingested_at >= current_timestamp - interval '1' hour
union all
select
    'checkouts' as topic,
    'late' as what,
    count(*) as message_count,
    max(ingested_at) as newest_at
from raw.checkouts
where is_late and ingested_at >= current_timestamp - interval '1' hour
union all
select
    topic,
    reason as what,
    count(*) as message_count,
    max(ingested_at) as newest_at
from raw.quarantine
where ingested_at >= current_timestamp - interval '1' hour
group by topic, reason
order by message_count desc, topic asc, what asc
