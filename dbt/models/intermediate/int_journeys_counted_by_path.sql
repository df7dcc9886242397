-- Grain: path (the sources of a journey's clicks in order) and user_slice. The data-driven
-- models learn from it.
-- Inputs: attributed_checkouts, stg_lake__clicks. Late rows: included, once restated.
-- A journey is one of two things: the touchpoints of a paid checkout, or clicks of a user
-- that are touchpoints of no paid checkout, without a long pause between them. The second
-- kind counts as a journey that led to nothing, even if it may still lead to something.
-- If a user's click_id has several rows, the earliest by event time stays, then the first in
-- Kafka's order.
-- Excluded: rows older than the window; checkouts without touchpoints, which teach nothing
-- about any source; clicks of unknown users or with unknown ids, which are no one's
-- journey; a user's clicks after the first {{ var('learnt_clicks_per_user') }} of the window,
-- because a bot's clicks need memory and teach nothing.
-- Memory: every step works on one user's rows, so Trino pushes a predicate on user_slice
-- down to the tables, and a reader can read slice by slice.
{%- set window_start -%}
    date_trunc('hour', current_timestamp - interval '{{ env_var("LEARNING_WINDOW_HOURS") }}' hour)
{%- endset %}
with

conversions as (
    -- The lines of one checkout have the same touchpoints: one journey.
    select distinct
        user_id,
        checkout_id,
        touchpoints
    from {{ ref('attributed_checkouts') }}
    where
        is_paid
        and cardinality(touchpoints) > 0
        and event_hour >= {{ window_start }}
),

converting_clicks as (
    select distinct
        conversions.user_id,
        touches.click_id
    from conversions
    cross join
        unnest(conversions.touchpoints) as touches (
            click_id, product_id, source, campaign, clicked_at
        )
),

ranked_messages as (
    select
        user_id,
        click_id,
        source,
        clicked_at,
        row_number() over (
            partition by user_id
            order by clicked_at, click_id, kafka_partition, kafka_offset
        ) as message_number
    from {{ ref('stg_lake__clicks') }}
    where
        event_hour >= {{ window_start }}
        and {{ is_known_user('user_id') }}
        and {{ is_known_id('click_id') }}
),

clicks as (
    select
        user_id,
        click_id,
        min_by(source, message_number) as source,
        min(clicked_at) as clicked_at
    from ranked_messages
    where message_number <= {{ var('learnt_clicks_per_user') }}
    group by user_id, click_id
),

idle_clicks as (
    select
        clicks.*,
        clicks.clicked_at - lag(clicks.clicked_at) over (
            partition by clicks.user_id
            order by clicks.clicked_at, clicks.click_id
        ) > interval '{{ env_var("LEARNING_PAUSE_MINUTES") }}' minute as is_after_a_pause
    from clicks
    left join converting_clicks
        on
            clicks.user_id = converting_clicks.user_id
            and clicks.click_id = converting_clicks.click_id
    where converting_clicks.click_id is null
),

numbered_clicks as (
    select
        *,
        count_if(is_after_a_pause) over (
            partition by user_id
            order by clicked_at, click_id
        ) as journey_number
    from idle_clicks
),

journeys as (
    select
        user_id,
        transform(
            touchpoints,
            touchpoint -> coalesce(touchpoint.source, 'unknown')
        ) as path,
        1 as conversion_count
    from conversions
    union all
    select
        user_id,
        array_agg(
            source
            order by clicked_at, click_id
        ) as path,
        0 as conversion_count
    from numbered_clicks
    group by user_id, journey_number
),

sliced as (
    select
        *,
        bitwise_and(
            from_big_endian_64(xxhash64(to_big_endian_64(user_id))), 255
        ) as user_slice
    from journeys
)

select
    user_slice,
    path,
    count(*) as journey_count,
    sum(conversion_count) as conversion_count
from sliced
group by user_slice, path
