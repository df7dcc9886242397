-- Grain: one valid message of the checkouts topic.
-- Inputs: as 03_messages.sql says.
-- Exclusions: malformed messages.
-- Lateness: late messages are included; is_late marks them.
create temporary table checkouts_messages (
    ${checkouts_fields},
    total_usd decimal(12, 2),
    profit_usd decimal(12, 2),
    occurred_at timestamp_ltz(6),
    is_late boolean not null,
    kafka_partition int not null,
    kafka_offset bigint not null,
    ingested_at timestamp_ltz(6) not null
) with (
    'rows' = 'checkouts'
) like messages (
    excluding all
    including options
)
