-- Grain: partition of a topic. What the raw tables hold of the messages that the job has committed.
-- Reads: two columns of the three raw tables; `goals` are the job's committed offsets.
-- Lateness: late rows are in the raw tables and count like all others.
with goals (topic, kafka_partition, end_offset) as (
    values ${goals}
),

contents as (
    select '${clickstream_topic}' as topic, kafka_partition, kafka_offset from raw.clickstream
    union all
    select '${checkouts_topic}' as topic, kafka_partition, kafka_offset from raw.checkouts
    union all
    select topic, kafka_partition, kafka_offset from raw.quarantine
)

select
    goals.topic,
    goals.kafka_partition,
    count(contents.kafka_offset) as row_count,
    count(distinct contents.kafka_offset) as message_count,
    min(contents.kafka_offset) as first_offset
from goals
left join contents
    on goals.topic = contents.topic
    and goals.kafka_partition = contents.kafka_partition
    and contents.kafka_offset < goals.end_offset
group by goals.topic, goals.kafka_partition, goals.end_offset
order by goals.topic, goals.kafka_partition
