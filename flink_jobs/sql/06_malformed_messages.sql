-- Grain: one message of either topic that breaks its contract.
-- Inputs: as 03_messages.sql says.
-- Exclusions: valid messages.
-- Lateness: none; such a message has no event time.
create temporary table malformed_messages (
    topic string not null,
    kafka_partition int not null,
    kafka_offset bigint not null,
    message_key bytes,
    body bytes,
    reason string
) with (
    'rows' = 'malformed'
) like messages (
    excluding all
    including options
)
