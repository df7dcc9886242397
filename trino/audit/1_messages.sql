-- Grain: partition of a topic. Which of the messages that the job has committed are in the raw
-- tables.
-- Reads: two columns of the three raw tables. `goals` holds the job's committed offsets.
-- Lateness: late rows are in the raw tables and count like all others.
-- Counts distinct offsets in words of 64 bits, one bit per offset: that needs a 64th of the memory.
with goals (topic, kafka_partition, end_offset) as (
    values ${goals}
),

contents as (
    select '${clickstream_topic}' as topic, kafka_partition, kafka_offset from raw.clickstream
    union all
    select '${checkouts_topic}' as topic, kafka_partition, kafka_offset from raw.checkouts
    union all
    select topic, kafka_partition, kafka_offset from raw.quarantine
),

words as (
    select
        contents.topic,
        contents.kafka_partition,
        count(*) as row_count,
        bitwise_or_agg(bitwise_left_shift(bigint '1', cast(contents.kafka_offset % 64 as integer))) as offsets,
        min(contents.kafka_offset) as first_offset
    from contents
    inner join goals
        on contents.topic = goals.topic
        and contents.kafka_partition = goals.kafka_partition
        and contents.kafka_offset < goals.end_offset
    group by contents.topic, contents.kafka_partition, contents.kafka_offset / 64
)

select
    goals.topic,
    goals.kafka_partition,
    coalesce(sum(words.row_count), 0) as row_count,
    coalesce(sum(bit_count(words.offsets, 64)), 0) as message_count,
    min(words.first_offset) as first_offset
from goals
left join words
    on goals.topic = words.topic
    and goals.kafka_partition = words.kafka_partition
group by goals.topic, goals.kafka_partition
order by goals.topic, goals.kafka_partition
