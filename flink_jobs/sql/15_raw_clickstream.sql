-- Grain: one valid message of the clickstream topic; (kafka_partition, kafka_offset) is unique.
-- Inputs: clickstream_messages.
-- Exclusions: malformed messages, which go to raw.quarantine.
-- Lateness: late rows are included; is_late marks them.
insert into `${lake_catalog}`.`raw`.clickstream (
    ${clickstream_columns},
    occurred_at,
    is_late,
    kafka_partition,
    kafka_offset,
    ingested_at
)
select
    ${clickstream_columns},
    occurred_at,
    is_late,
    kafka_partition,
    kafka_offset,
    ingested_at
from clickstream_messages
