-- What do the latest broken messages look like? Shows the first 200 characters of their bytes
-- as text. Bytes that are not UTF-8 appear as the replacement character.
-- Reads: raw.quarantine.
select
    ingested_at,
    topic,
    kafka_partition,
    kafka_offset,
    reason,
    length(body) as byte_count,
    substr(from_utf8(substr(body, 1, 400)), 1, 200) as body_start
from raw.quarantine
where ingested_at >= current_timestamp - interval '1' hour
order by ingested_at desc, topic asc, kafka_partition asc, kafka_offset asc
limit 10
