-- Grain: hour. The rows of funnel_hourly, computed from scratch: sessions by the furthest
-- step that they reached in the hour. A session also counts for every step before that, so
-- no share exceeds 1.
-- Inputs: stg_lake__events and stg_lake__checkouts. They need no deduplication: a message
-- sent twice moves no session.
-- Excluded: logouts, event types that are no step, and events with an unknown session_id.
-- Late rows: included, in the hour in which they happened.
with

steps as (
    select
        event_hour,
        session_id,
        case event_type
            when 'page_view' then 1
            when 'click' then 2
            when 'add_to_cart' then 3
        end as step_number,
        ingested_at
    from {{ ref('stg_lake__events') }}
    where
        event_type in ('page_view', 'click', 'add_to_cart')
        and {{ is_known_id('session_id') }}
    union all
    select
        event_hour,
        session_id,
        if(is_paid, 5, 4) as step_number,
        ingested_at
    from {{ ref('stg_lake__checkouts') }}
    where {{ is_known_id('session_id') }}
),

sessions as (
    select
        event_hour,
        session_id,
        max(step_number) as furthest_step,
        max(ingested_at) as ingested_at
    from steps
    group by event_hour, session_id
),

counted as (
    select
        event_hour,
        count(*) as viewing_session_count,
        count_if(furthest_step >= 2) as clicking_session_count,
        count_if(furthest_step >= 3) as carting_session_count,
        count_if(furthest_step >= 4) as checkout_session_count,
        count_if(furthest_step = 5) as paying_session_count,
        max(ingested_at) as latest_ingested_at
    from sessions
    group by event_hour
)

select
    event_hour,
    viewing_session_count,
    clicking_session_count,
    carting_session_count,
    checkout_session_count,
    paying_session_count,
    1e0 * clicking_session_count / viewing_session_count as click_share,
    1e0 * carting_session_count / nullif(clicking_session_count, 0) as cart_share,
    1e0 * checkout_session_count / nullif(carting_session_count, 0) as checkout_share,
    1e0 * paying_session_count / nullif(checkout_session_count, 0) as paid_share,
    1e0 * paying_session_count / viewing_session_count as conversion_share,
    latest_ingested_at
from counted
