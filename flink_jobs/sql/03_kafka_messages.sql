-- Grain: a Kafka message of either topic, whatever its bytes are.
-- Inputs: both topics through one source, so that there is one watermark for both.
-- Exclusions: none; the format keeps what it can't read as `problems`, and `reason` is the verdict.
-- Lateness: the watermark listens to valid rows only (`occurred_at` is null for the others), is
-- the newest event time of a partition less ${out_of_orderness_seconds} s, moves with every row,
-- and leaves out partitions that were idle. Checkpoints have it: no restart takes it back. A fetch takes little of each partition, so that behind
-- a backlog none of them waits for its turn so long that it seems idle.
create temporary table kafka_messages (
    -- both topics
    user_id bigint,
    session_id string,
    product_id bigint,
    user_agent string,
    ip_address string,
    occurred_at_ms bigint,
    -- clickstream
    event_id string,
    event_type string,
    source string,
    campaign string,
    url string,
    device string,
    latitude double,
    longitude double,
    -- checkouts
    checkout_id string,
    quantity int,
    unit_price_usd decimal(12, 2),
    discount_share decimal(5, 4),
    shipping_usd decimal(12, 2),
    commission_share decimal(5, 4),
    payment_method string,
    payment_status string,
    failure_reason string,
    shipping_address string,
    billing_address string,
    -- where it was, and as it was
    message_key bytes,
    topic string not null metadata virtual,
    kafka_partition int not null metadata from 'partition' virtual,
    kafka_offset bigint not null metadata from 'offset' virtual,
    appended_at timestamp_ltz(3) not null metadata from 'timestamp' virtual,
    body bytes metadata from 'value.body' virtual,
    problems map<string, string> metadata from 'value.problems' virtual,
    -- what we make of it
    reason as ${reason},
    total_usd as ${total_usd},
    profit_usd as ${profit_usd},
    occurred_at as case
        when ${reason} is null then to_timestamp_ltz(occurred_at_ms, 3)
    end,
    watermark for occurred_at
    as occurred_at - ${out_of_orderness_seconds} * interval '1' second
) with (
    'connector' = 'monotonic-kafka',
    'topic' = '${clickstream_topic};${checkouts_topic}',
    'properties.bootstrap.servers' = '${kafka_bootstrap_servers}',
    'properties.group.id' = '${consumer_group}',
    'properties.partition.discovery.interval.ms' = '60000',
    'properties.max.partition.fetch.bytes' = '131072',
    'scan.startup.mode' = 'earliest-offset',
    'scan.watermark.emit.strategy' = 'on-event',
    'scan.watermark.idle-timeout' = '${idle_timeout_seconds} s',
    'key.format' = 'raw',
    'key.fields' = 'message_key',
    'value.format' = 'lossless-json',
    'value.fields-include' = 'EXCEPT_KEY'
)
