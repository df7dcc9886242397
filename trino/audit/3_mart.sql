-- Grain: hour of event time. Does each line of a user's checkout, late or not, have exactly one row in
-- the mart attributed_checkouts: its latest attempt to pay within the lookback? (Each attempt, if the
-- checkout_id is one that means unknown.)
-- Reads: raw.checkouts, attribution.attributed_checkouts, each once; the mart, twice.
-- Lateness: late checkouts belong to the mart too; on-time ones do once the stream has answered them.
-- An attempt is due if the last build could have seen it, that is, if it arrived at least
-- ${settle_seconds} s before the newest row of the mart. It is also due ${due_seconds} s after its
-- arrival, whether or not a build has succeeded since. Until then it waits for a build, and the attempt
-- that it replaces may stay.
with sightings as (
    select
        user_id,
        checkout_id,
        product_id,
        occurred_at as checked_out_at,
        if(is_late, ingested_at) as seen_at,
        0 as row_count
    from raw.checkouts
    union all
    select user_id, checkout_id, product_id, checked_out_at, attributed_at, 0
    from attribution.attributed_checkouts
    union all
    select user_id, checkout_id, product_id, checked_out_at, null, 1
    from marts.attributed_checkouts
),

attempts as (
    select
        user_id,
        checkout_id,
        product_id,
        checked_out_at,
        min(seen_at) as seen_at,
        count_if(row_count = 0) as sighting_count,
        sum(row_count) as row_count
    from sightings
    group by user_id, checkout_id, product_id, checked_out_at
),

followed as (
    select
        checked_out_at,
        seen_at,
        sighting_count,
        row_count,
        coalesce(
            lead(checked_out_at) over same_line
            <= checked_out_at + interval '${lookback_seconds}' second,
            false
        )
        and ${has_a_known_id} as is_replaced,
        lead(seen_at) over same_line as next_seen_at
    from attempts
    window same_line as (partition by user_id, checkout_id, product_id order by checked_out_at)
),

newest as (
    select max(latest_ingested_at) - interval '${settle_seconds}' second as seen_at
    from marts.attributed_checkouts
),

judged as (
    select
        followed.*,
        coalesce(
            if(followed.is_replaced, followed.next_seen_at, followed.seen_at) <= greatest(
                coalesce(newest.seen_at, timestamp '1970-01-01 00:00:00 UTC'),
                current_timestamp - interval '${due_seconds}' second
            ),
            false
        ) as is_settled
    from followed
    cross join newest
),

compared as (
    select
        date_trunc('hour', checked_out_at) as event_hour,
        case
            when is_replaced then if(is_settled, 0, least(row_count, 1))
            when is_settled or sighting_count > 0 and row_count > 0 then 1
            else 0
        end as due_count,
        row_count,
        if(not is_replaced and row_count = 0, seen_at) as behind_since
    from judged
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
