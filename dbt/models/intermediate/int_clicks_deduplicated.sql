-- Grain: one click of a user per hour. If a user's id arrived more than once in an hour, the
-- earliest row by event time stays, then the first in Kafka's order. The comparison stays
-- within the hour so that a predicate on event_hour reads that hour only. A click sent with
-- dates in two hours counts in both. Another user's id is another click: nobody's clicks
-- count less because of what others send. Clicks with an unknown id count once for each
-- event time.
-- Input: stg_lake__clicks. Late rows: included.
with

numbered as (
    select
        *,
        row_number() over (
            partition by
                event_hour,
                user_id,
                click_id,
                if({{ is_known_id('click_id') }}, null, clicked_at)
            order by clicked_at, kafka_partition, kafka_offset
        ) as message_number
    from {{ ref('stg_lake__clicks') }}
)

select
    click_id,
    user_id,
    session_id,
    product_id,
    source,
    campaign,
    clicked_at,
    event_hour,
    is_late,
    ingested_at
from numbered
where message_number = 1
