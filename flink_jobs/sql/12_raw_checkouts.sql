-- Grain: a valid message of the checkouts topic, each (kafka_partition, kafka_offset) once.
-- Inputs: messages.
-- Exclusions: malformed messages (raw.quarantine).
-- Lateness: late rows are here, with is_late.
insert into `${lake_catalog}`.`raw`.checkouts
select
    checkout_id,
    user_id,
    session_id,
    product_id,
    quantity,
    unit_price_usd,
    discount_share,
    shipping_usd,
    commission_share,
    total_usd,
    profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    shipping_address,
    billing_address,
    user_agent,
    ip_address,
    occurred_at,
    is_late,
    kafka_partition,
    kafka_offset,
    cast(current_timestamp as timestamp_ltz(6)) as ingested_at
from messages
where topic = '${checkouts_topic}'
    and reason is null
