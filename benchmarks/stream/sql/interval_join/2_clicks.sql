-- As in tutorials: Flink's own JSON format, which skips messages it can't read. A message dated
-- outside 2000 to 2090 counts as dated 1970. Otherwise one message of 2100 would move the watermark
-- past all others.
create temporary table clicks (
    event_id string,
    event_type string,
    user_id bigint,
    product_id bigint,
    source string,
    campaign string,
    occurred_at_ms bigint,
    clicked_at as to_timestamp_ltz(
        case when occurred_at_ms between 946684800000 and 3786912000000 then occurred_at_ms else 0 end, 3
    ),
    watermark for clicked_at as clicked_at - interval '${out_of_orderness_seconds}' second
) with (
    'connector' = 'kafka',
    'topic' = '${clickstream_topic}',
    'properties.bootstrap.servers' = '${kafka_bootstrap_servers}',
    'properties.security.protocol' = '${kafka_protocol}',
    'properties.sasl.mechanism' = '${kafka_mechanism}',
    'properties.sasl.jaas.config' = '${kafka_jaas}',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = '${bounded_mode}',
    'scan.watermark.idle-timeout' = '${idle_timeout_seconds} s',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
)
