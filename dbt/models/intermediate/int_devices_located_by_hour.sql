-- Grain: hour, device and cell of one degree. The rows of device_geo_hourly, computed from
-- scratch.
-- A cell is named by its southern and western edges. Rows without a place go to the cell
-- (999, 999), which no place has: a merge would not find a row again by a key that is
-- null.
-- Input: int_events_deduplicated. Excluded: logouts.
-- Late events: included, in the hour in which they happened.
with

events as (
    select
        *,
        cast(coalesce(floor(latitude), 999) as integer) as latitude_cell,
        cast(coalesce(floor(longitude), 999) as integer) as longitude_cell
    from {{ ref('int_events_deduplicated') }}
)

select
    event_hour,
    device,
    latitude_cell,
    longitude_cell,
    count_if(event_type = 'page_view') as page_view_count,
    count_if(event_type = 'click') as click_count,
    count_if(event_type = 'add_to_cart') as cart_count,
    count(distinct user_id) as user_count,
    count(distinct if({{ is_known_id('session_id') }}, session_id)) as session_count,
    max(ingested_at) as latest_ingested_at
from events
group by event_hour, device, latitude_cell, longitude_cell
