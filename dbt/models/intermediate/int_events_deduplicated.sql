-- Grain: one event of a user per hour. If a user's id arrived more than once in an hour, the
-- earliest row by event time stays, then the first in Kafka's order. The comparison stays
-- within the hour so that a predicate on event_hour reads that hour only. An event sent with
-- dates in two hours counts in both. Another user's id is another event: nobody's events
-- count less because of what others send. Events with an unknown id count once for each
-- event time.
-- Input: stg_lake__events. Excluded: logouts. Late rows: included.
with

numbered as (
    select
        *,
        row_number() over (
            partition by
                event_hour,
                user_id,
                event_id,
                if({{ is_known_id('event_id') }}, null, occurred_at)
            order by occurred_at, kafka_partition, kafka_offset
        ) as message_number
    from {{ ref('stg_lake__events') }}
    where event_type <> 'logout'
)

select
    event_id,
    event_type,
    user_id,
    session_id,
    product_id,
    device,
    latitude,
    longitude,
    occurred_at,
    event_hour,
    ingested_at
from numbered
where message_number = 1
