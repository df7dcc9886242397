-- Grain: hour of event time; hour of arrival for quarantined messages, which have no event time.
-- What arrived, and whether each on-time checkout has exactly one row.
-- Reads: raw.clickstream, raw.checkouts, raw.quarantine, attribution.attributed_checkouts, each
-- once. A checkout_id seen again within the lookback of its last row gets no second row.
-- Lateness: late checkouts count but are not due. On-time ones are due up to the newest answer.
with sightings as (
    select user_id, checkout_id, occurred_at as due_at, null as answered_at
    from raw.checkouts
    where not is_late
        and occurred_at <= (select max(checked_out_at) from attribution.attributed_checkouts)
    union all
    select user_id, checkout_id, null, checked_out_at
    from attribution.attributed_checkouts
),

ids as (
    select
        array_agg(due_at) filter (where due_at is not null) as seen,
        coalesce(array_agg(answered_at) filter (where answered_at is not null), array[]) as answers
    from sightings
    group by user_id, checkout_id
),

answered as (
    select
        answers,
        -- times at which a row was due: each is the first one more than a lookback after the last
        reduce(
            array_sort(coalesce(seen, array[])),
            cast(array[] as array(timestamp(6) with time zone)),
            (due, seen_at) -> if(
                cardinality(due) = 0
                or seen_at > element_at(due, -1) + interval '${lookback_seconds}' second,
                due || seen_at, due
            ),
            due -> due
        ) as due
    from ids
),

checkouts as (
    select
        date_trunc('hour', moments.checked_out_at) as event_hour,
        if(contains(answered.due, moments.checked_out_at), 1, 0) as due_count,
        cardinality(filter(answered.answers, each -> each = moments.checked_out_at)) as answer_count
    from answered
    cross join unnest(array_union(answered.due, answered.answers)) as moments (checked_out_at)
),

counted as (
    select
        event_hour,
        0 as event_count,
        0 as late_count,
        0 as quarantined_count,
        due_count,
        answer_count,
        greatest(due_count - answer_count, 0) as missing_count,
        greatest(answer_count - due_count, 0) as surplus_count
    from checkouts
    union all
    select date_trunc('hour', occurred_at), 1, if(is_late, 1, 0), 0, 0, 0, 0, 0
    from raw.clickstream
    union all
    select date_trunc('hour', occurred_at), 1, if(is_late, 1, 0), 0, 0, 0, 0, 0
    from raw.checkouts
    union all
    select date_trunc('hour', ingested_at), 0, 0, 1, 0, 0, 0, 0
    from raw.quarantine
    where topic in ('${clickstream_topic}', '${checkouts_topic}')
)

select
    event_hour,
    sum(event_count) as event_count,
    sum(late_count) as late_count,
    sum(quarantined_count) as quarantined_count,
    sum(due_count) as due_count,
    sum(answer_count) as answer_count,
    sum(missing_count) as missing_count,
    sum(surplus_count) as surplus_count
from counted
group by event_hour
order by event_hour
