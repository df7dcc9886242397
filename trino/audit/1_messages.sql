-- Grain: partition of a topic. Which of the messages that the job has committed are in the raw
-- tables, and which offsets are not accounted for.
-- Reads: two columns of the three raw tables. `goals` holds the job's committed offsets.
-- Lateness: late rows are in the raw tables and count like all others.
-- Counts distinct offsets in words of 64 bits, one bit per offset: that needs a 64th of the memory.
-- An offset is known if it has a row, or if an earlier audit recorded that it has no message.
with goals (topic, kafka_partition, end_offset) as (
    values ${goals}
),

contents as (
    select '${clickstream_topic}' as topic, kafka_partition, kafka_offset, true as is_row from raw.clickstream
    union all
    select '${checkouts_topic}' as topic, kafka_partition, kafka_offset, true as is_row from raw.checkouts
    union all
    select topic, kafka_partition, kafka_offset, true as is_row from raw.quarantine
    union all
    select topic, kafka_partition, empty_offset as kafka_offset, false as is_row
    from marts.audit_empty_offsets
    cross join unnest(sequence(first_offset, last_offset)) as offsets (empty_offset)
),

bits as (
    select
        contents.topic,
        contents.kafka_partition,
        contents.kafka_offset,
        contents.kafka_offset / 64 as word,
        bitwise_left_shift(bigint '1', cast(contents.kafka_offset % 64 as integer)) as bit,
        contents.is_row
    from contents
    inner join goals
        on contents.topic = goals.topic
        and contents.kafka_partition = goals.kafka_partition
        and contents.kafka_offset < goals.end_offset
),

words as (
    select
        topic,
        kafka_partition,
        word,
        count_if(is_row) as row_count,
        bitwise_or_agg(bit) filter (where is_row) as with_row,
        bitwise_or_agg(bit) as known,
        min(kafka_offset) filter (where is_row) as first_offset,
        lead(word) over (partition by topic, kafka_partition order by word) as next_word
    from bits
    group by topic, kafka_partition, word
)

select
    goals.topic,
    goals.kafka_partition,
    coalesce(sum(words.row_count), 0) as row_count,
    coalesce(sum(bit_count(words.with_row, 64)), 0) as message_count,
    min(words.first_offset) as first_offset,
    min(words.word) as first_word,
    -- words with an unknown offset, and words that the next one does not follow
    array_agg(row(words.word, words.known, words.next_word) order by words.word) filter (
        where words.known <> -1 or words.next_word is null or words.next_word > words.word + 1
    ) as words_before_gaps
from goals
left join words
    on goals.topic = words.topic
    and goals.kafka_partition = words.kafka_partition
group by goals.topic, goals.kafka_partition
order by goals.topic, goals.kafka_partition
