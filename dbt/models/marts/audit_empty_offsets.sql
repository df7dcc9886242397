-- Grain: a run of offsets without a message. infra/operations/audit.py writes the rows during
-- housekeeping.
-- A build only creates the empty table. It never fills or recreates it, because its rows
-- are history.
{{
    config(
        incremental_strategy='append',
        full_refresh=false,
        properties={'partitioning': "array['topic']"},
    )
}}

select
    cast(null as varchar) as topic,
    cast(null as integer) as kafka_partition,
    cast(null as bigint) as first_offset,
    cast(null as bigint) as last_offset
where false
