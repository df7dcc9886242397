-- Grain: a Kafka message of either topic, whatever its bytes are.
-- Inputs: both topics through one source, so that there is one watermark for both.
-- Exclusions: none; the format keeps what it can't read, and `reason` is the verdict (null: the
-- message keeps its contract). What the contract is, says Judge.java (../java/).
-- Lateness: decided here and once: a valid message at or behind the watermark when it is read is
-- late. The watermark listens to valid messages only, is the newest event time of a partition less
-- ${out_of_orderness_seconds} s, moves with every message, leaves out partitions that are idle, and
-- is in the checkpoint: no restart takes it back. A fetch takes little of each partition, so that
-- behind a backlog none of them waits for its turn so long that it seems idle. And it waits briefly
-- for news of the partitions that are read to their ends: the client has one request under way, so
-- that the backlog of another partition would wait as long, each time.
create temporary table messages (
    -- fields of both topics (configuration/events.toml)
    ${event_columns},
    -- where it was, and as it was
    message_key bytes,
    topic string not null metadata virtual,
    kafka_partition int not null metadata from 'partition' virtual,
    kafka_offset bigint not null metadata from 'offset' virtual,
    body bytes metadata from 'value.body' virtual,
    -- the verdict
    reason string metadata virtual,
    occurred_at timestamp_ltz(6) metadata virtual,
    is_late boolean not null metadata virtual,
    total_usd decimal(12, 2) metadata virtual,
    profit_usd decimal(12, 2) metadata virtual
) with (
    'connector' = 'intake',
    'topic' = '${clickstream_topic};${checkouts_topic}',
    'properties.bootstrap.servers' = '${kafka_bootstrap_servers}',
    'properties.group.id' = '${consumer_group}',
    'properties.partition.discovery.interval.ms' = '60000',
    'properties.max.partition.fetch.bytes' = '131072',
    'properties.fetch.max.wait.ms' = '50',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = '${bounded_mode}',
    'watermark.out-of-orderness' = '${out_of_orderness_seconds} s',
    'watermark.idle-timeout' = '${idle_timeout_seconds} s',
    'contract.clickstream-topic' = '${clickstream_topic}',
    'contract.clickstream' = '${clickstream_contract}',
    'contract.checkouts' = '${checkouts_contract}',
    'contract.max-future' = '${max_future_seconds} s',
    'key.format' = 'raw',
    'key.fields' = 'message_key',
    'value.format' = 'lossless-json',
    'value.fields-include' = 'EXCEPT_KEY'
)
