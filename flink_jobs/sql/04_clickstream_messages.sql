-- Grain: one valid message of the clickstream topic.
-- Inputs: as 03_messages.sql says.
-- Exclusions: malformed messages.
-- Lateness: late messages are included; is_late marks them.
create temporary table clickstream_messages (
    ${clickstream_fields},
    occurred_at timestamp_ltz(6),
    is_late boolean not null,
    kafka_partition int not null,
    kafka_offset bigint not null,
    ingested_at timestamp_ltz(6) not null
) with (
    'rows' = 'clickstream'
) like messages (
    excluding all
    including options
)
