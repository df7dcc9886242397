-- Grain: one change of a row in the shop's table ad_spend; (kafka_partition, kafka_offset) is
-- unique. The changes of a row are in the order of kafka_offset, and of source_lsn.
-- Inputs: ad_spend_changes.
-- Exclusions: messages with a fault, or without the row's key, which go to raw.quarantine.
-- Lateness: none.
insert into `${lake_catalog}`.`raw`.ad_spend_changes (
    spend_hour,
    source,
    campaign,
    spend_usd,
    operation,
    changed_at,
    source_lsn,
    message,
    kafka_partition,
    kafka_offset,
    ingested_at
)
select
    spend_hour,
    source,
    campaign,
    spend_usd,
    operation,
    changed_at,
    source_lsn,
    message,
    kafka_partition,
    kafka_offset,
    cast(current_timestamp as timestamp_ltz(6)) as ingested_at
from ad_spend_changes
where fault is null
    and missing is null
