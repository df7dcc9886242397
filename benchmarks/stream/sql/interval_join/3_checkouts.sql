create temporary table checkouts (
    checkout_id string,
    user_id bigint,
    product_id bigint,
    quantity int,
    unit_price_usd decimal(12, 2),
    discount_share decimal(5, 4),
    shipping_usd decimal(12, 2),
    commission_share decimal(5, 4),
    payment_method string,
    payment_status string,
    failure_reason string,
    occurred_at_ms bigint,
    checked_out_at as to_timestamp_ltz(
        case when occurred_at_ms between 946684800000 and 3786912000000 then occurred_at_ms else 0 end, 3
    ),
    watermark for checked_out_at as checked_out_at - interval '${out_of_orderness_seconds}' second
) with (
    'connector' = 'kafka',
    'topic' = '${checkouts_topic}',
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
