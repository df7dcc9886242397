-- Grain: one message that the job read in the last day (var live_hours), and what became
-- of it.
-- Inputs: stg_lake__events, stg_lake__checkouts, stg_lake__quarantined_messages.
-- Excluded: changes of the shop's tables. Late rows: included, with the outcome `late`.
-- A view: as fresh as the last commit of the stream. A predicate on ingested_at prunes
-- files, and days of the quarantine.
with

messages as (
    select
        'clickstream' as topic,
        occurred_at,
        ingested_at,
        if(is_late, 'late', 'on time') as outcome,
        cast(null as varchar) as reason
    from {{ ref('stg_lake__events') }}
    union all
    select
        'checkouts' as topic,
        checked_out_at as occurred_at,
        ingested_at,
        if(is_late, 'late', 'on time') as outcome,
        cast(null as varchar) as reason
    from {{ ref('stg_lake__checkouts') }}
    union all
    select
        topic,
        cast(null as timestamp(6) with time zone) as occurred_at,
        ingested_at,
        'quarantined' as outcome,
        regexp_replace(reason, '( at byte \d+| ".*")$') as reason
    from {{ ref('stg_lake__quarantined_messages') }}
)

select
    topic,
    ingested_at,
    outcome,
    reason,
    date_diff('millisecond', occurred_at, ingested_at) / 1e3 as delay_seconds
from messages
where ingested_at >= current_timestamp - interval '{{ var("live_hours") }}' hour
