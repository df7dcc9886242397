-- Grain: hour of event time; hour of arrival for quarantined messages, which have no event time.
-- What arrived, and whether each on-time attempt to pay for a line has exactly one row.
-- Reads: raw.clickstream, raw.checkouts, raw.quarantine, attribution.attributed_checkouts, each
-- once, and a property of the last. Copies of an attempt are one attempt.
-- Lateness: late checkouts count but are not due. On-time ones are due up to the newest answer.
-- Before the stream answered each attempt, it answered one of those with a checkout_id: the others are
-- not due.
with rules as (
    select from_unixtime(cast(coalesce(max(value), '0') as double) / 1e3, 'UTC') as answers_each_attempt_since
    from attribution."attributed_checkouts$$properties"
    where key = '${since_property}'
),

sightings as (
    select
        user_id,
        checkout_id,
        product_id,
        occurred_at as due_at,
        ingested_at < (select answers_each_attempt_since from rules) as is_of_earlier_rules,
        null as answered_at
    from raw.checkouts
    where not is_late
        and occurred_at <= (select max(checked_out_at) from attribution.attributed_checkouts)
    union all
    select user_id, checkout_id, product_id, null, null, checked_out_at
    from attribution.attributed_checkouts
),

ids as (
    select
        array_agg(row(product_id, due_at)) filter (where not is_of_earlier_rules) as due,
        array_agg(row(product_id, due_at)) filter (where is_of_earlier_rules) as due_before,
        array_agg(row(product_id, answered_at)) filter (where answered_at is not null) as answers
    from sightings
    group by user_id, checkout_id
),

answered as (
    select
        coalesce(answers, array[]) as answers,
        array_union(
            coalesce(due, array[]),
            coalesce(
                if(answers is null, due_before, array_intersect(due_before, answers)), array[]
            )
        ) as due
    from ids
),

checkouts as (
    select
        date_trunc('hour', moments.checked_out_at) as event_hour,
        if(contains(answered.due, row(moments.product_id, moments.checked_out_at)), 1, 0) as due_count,
        cardinality(
            filter(answered.answers, each -> each = row(moments.product_id, moments.checked_out_at))
        ) as answer_count
    from answered
    cross join unnest(array_union(answered.due, answered.answers)) as moments (product_id, checked_out_at)
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
