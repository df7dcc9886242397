-- Grain: hour of event time (of a quarantined message, which has none: of its arrival). What came
-- in, and whether each checkout that was on time has its one row.
-- Reads: raw.clickstream, raw.checkouts, raw.quarantine, attribution.attributed_checkouts, each
-- once. A checkout_id that is seen again within the lookback of its last row gives no second one.
-- Lateness: late checkouts are counted and not due; on-time ones are due up to the newest answer.
with on_time as (
    select
        user_id,
        checkout_id,
        occurred_at,
        kafka_partition,
        kafka_offset
    from raw.checkouts
    where not is_late
        and occurred_at <= (select max(checked_out_at) from attribution.attributed_checkouts)
),

due as (
    select user_id, checkout_id, checked_out_at
    from on_time
    match_recognize (
        partition by user_id, checkout_id
        order by occurred_at, kafka_partition, kafka_offset
        measures first_seen.occurred_at as checked_out_at
        one row per match
        after match skip past last row
        pattern (first_seen seen_again*)
        define seen_again as
            occurred_at <= first_seen.occurred_at + interval '${lookback_seconds}' second
    )
),

answered as (
    select user_id, checkout_id, checked_out_at, count(*) as row_count
    from attribution.attributed_checkouts
    group by user_id, checkout_id, checked_out_at
),

checkouts as (
    select
        date_trunc('hour', coalesce(due.checked_out_at, answered.checked_out_at)) as event_hour,
        if(due.checkout_id is null, 0, 1) as due_count,
        coalesce(answered.row_count, 0) as answer_count
    from due
    full join answered
        on due.user_id = answered.user_id
        and due.checkout_id = answered.checkout_id
        and due.checked_out_at = answered.checked_out_at
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
