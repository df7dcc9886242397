-- Grain: click. An id that came more than once in an hour keeps the row that is earliest by
-- event time, then first in Kafka's order. Within the hour, so that a predicate on event_hour
-- reads that hour alone; what a sender dates twice, in two hours, counts in both.
-- Input: stg_lake__clicks. Late rows: included.
with

numbered as (
    select
        *,
        row_number() over (
            partition by event_hour, click_id
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
