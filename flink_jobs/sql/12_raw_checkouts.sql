-- Grain: one valid message of the checkouts topic; (kafka_partition, kafka_offset) is unique.
-- Inputs: messages.
-- Exclusions: malformed messages, which go to raw.quarantine.
-- Lateness: late rows are included; is_late marks them.
insert into `${lake_catalog}`.`raw`.checkouts (
    ${checkouts_columns},
    total_usd,
    profit_usd,
    occurred_at,
    is_late,
    kafka_partition,
    kafka_offset,
    ingested_at
)
select
    ${checkouts_columns},
    total_usd,
    profit_usd,
    occurred_at,
    is_late,
    kafka_partition,
    kafka_offset,
    cast(current_timestamp as timestamp_ltz(6)) as ingested_at
from messages
where topic = '${checkouts_topic}'
    and reason is null
