-- Grain: checkout. An id that came more than once keeps the row that is earliest by event time,
-- then first in Kafka's order, whatever its hour: what the stream keeps too.
-- Input: stg_lake__checkouts. Late rows: included.
with

numbered as (
    select
        *,
        row_number() over (
            partition by checkout_id
            order by checked_out_at, kafka_partition, kafka_offset
        ) as message_number
    from {{ ref('stg_lake__checkouts') }}
)

select
    checkout_id,
    user_id,
    session_id,
    product_id,
    quantity,
    total_usd,
    profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    is_paid,
    checked_out_at,
    checkout_hour,
    is_late,
    ingested_at
from numbered
where message_number = 1
