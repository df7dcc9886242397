-- Grain: a valid message of the checkouts topic, each (kafka_partition, kafka_offset) once.
-- Inputs: messages.
-- Exclusions: malformed messages (raw.quarantine).
-- Lateness: late rows are here, with is_late.
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
