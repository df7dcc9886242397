-- Grain: one change of a row in the shop's table users; (kafka_partition, kafka_offset) is
-- unique. The changes of a user are in the order of kafka_offset, and of source_lsn.
-- Inputs: users_changes.
-- Exclusions: messages with a fault, or without the row's key, which go to raw.quarantine.
-- Lateness: none.
insert into `${lake_catalog}`.`raw`.users_changes (
    user_id,
    full_name,
    gender,
    birth_date,
    country,
    created_at,
    updated_at,
    operation,
    changed_at,
    source_lsn,
    message,
    kafka_partition,
    kafka_offset,
    ingested_at
)
select
    user_id,
    full_name,
    gender,
    birth_date,
    country,
    created_at,
    updated_at,
    operation,
    changed_at,
    source_lsn,
    message,
    kafka_partition,
    kafka_offset,
    cast(current_timestamp as timestamp_ltz(6)) as ingested_at
from users_changes
where fault is null
    and missing is null
