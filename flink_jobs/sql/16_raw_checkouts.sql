-- Grain: one valid message of the checkouts topic; (kafka_partition, kafka_offset) is unique.
-- Inputs: checkouts_messages.
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
    ingested_at
from checkouts_messages
