-- Grain: one message that breaks its contract; (topic, kafka_partition, kafka_offset) is unique.
-- Inputs: quarantined_messages.
-- Exclusions: none.
-- Lateness: none; such a message has no event time.
insert into `${lake_catalog}`.`raw`.quarantine (
    topic,
    kafka_partition,
    kafka_offset,
    message_key,
    body,
    reason,
    ingested_at
)
select
    topic,
    kafka_partition,
    kafka_offset,
    message_key,
    body,
    reason,
    cast(current_timestamp as timestamp_ltz(6)) as ingested_at
from quarantined_messages
