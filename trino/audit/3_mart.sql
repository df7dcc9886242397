-- Grain: hour of event time. Does each distinct valid checkout of a user, late or not, have exactly
-- one row in the mart attributed_checkouts?
-- Reads: raw.checkouts, attribution.attributed_checkouts, each once; the mart, twice.
-- Lateness: late checkouts belong to the mart too; on-time ones do once the stream has answered them.
-- A checkout is due if the last build could have seen it, that is, if it arrived at least
-- ${settle_seconds} s before the newest row of the mart. It is also due ${due_seconds} s after its
-- arrival, whether or not a build has succeeded since. Until then it waits for a build.
with sightings as (
    select
        user_id,
        checkout_id,
        occurred_at as checked_out_at,
        if(is_late, ingested_at) as seen_at,
        0 as row_count
    from raw.checkouts
    union all
    select user_id, checkout_id, checked_out_at, attributed_at, 0
    from attribution.attributed_checkouts
    union all
    select user_id, checkout_id, checked_out_at, null, 1
    from marts.attributed_checkouts
),

checkouts as (
    select
        min(checked_out_at) as checked_out_at,
        min(seen_at) as seen_at,
        count_if(row_count = 0) as sighting_count,
        sum(row_count) as row_count
    from sightings
    group by user_id, checkout_id
),

newest as (
    select max(latest_ingested_at) - interval '${settle_seconds}' second as seen_at
    from marts.attributed_checkouts
),

compared as (
    select
        date_trunc('hour', checkouts.checked_out_at) as event_hour,
        if(
            checkouts.seen_at <= newest.seen_at
            or checkouts.seen_at <= current_timestamp - interval '${due_seconds}' second
            or checkouts.sighting_count > 0 and checkouts.row_count > 0,
            1, 0
        ) as due_count,
        checkouts.row_count,
        if(checkouts.row_count = 0, checkouts.seen_at) as behind_since
    from checkouts
    cross join newest
)

select
    event_hour,
    sum(due_count) as due_count,
    sum(row_count) as row_count,
    sum(greatest(due_count - row_count, 0)) as missing_count,
    sum(greatest(row_count - due_count, 0)) as surplus_count,
    min(behind_since) as behind_since
from compared
group by event_hour
order by event_hour
