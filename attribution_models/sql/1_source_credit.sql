-- Grain: learning run, model and source. dbt/models/staging/stg_lake__source_credits.yml explains
-- each column. Append-only: one insert writes a run.
-- Partitioned, because SQL Lab's preview fails on tables without partitions.
create table if not exists marts.source_credit (
    run_id varchar not null,
    model varchar not null,
    source varchar not null,
    weight double not null,
    conversion_share double not null,
    journey_share double not null,
    conversion_count bigint not null,
    journey_count bigint not null,
    applies_from timestamp(6) with time zone not null,
    computed_at timestamp(6) with time zone not null
)
with (partitioning = array['model'])
