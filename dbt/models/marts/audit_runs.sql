-- Grain: one rule of one audit. infra/operations/audit.py writes the rows during
-- housekeeping.
-- A build only creates the empty table. It never fills or recreates it, because its rows
-- are history.
{{
    config(
        incremental_strategy='append',
        full_refresh=false,
        properties={'partitioning': "array['year(started_at)']"},
    )
}}

select
    cast(null as timestamp(6) with time zone) as started_at,
    cast(null as timestamp(6) with time zone) as up_to,
    cast(null as varchar) as rule,
    cast(null as bigint) as expected,
    cast(null as bigint) as found,
    cast(null as boolean) as is_balanced
where false
