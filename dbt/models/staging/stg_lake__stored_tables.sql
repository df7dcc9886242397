-- Grain: one table that the stream appends to, and how it is stored now: files, rows,
-- bytes, snapshots.
-- Input: the metadata table $snapshots of each table. Its newest snapshot has the totals,
-- so this query opens no data file and, unlike one on $files, no manifest.
-- Excluded: the tables of changes.
{%- set tables = [
    source('raw', 'clickstream'),
    source('raw', 'checkouts'),
    source('raw', 'quarantine'),
    source('attribution', 'attributed_checkouts'),
] %}
with

snapshots as (
    {%- for table in tables %}
        select
            '{{ table.schema }}.{{ table.identifier }}' as table_name,
            count(*) as snapshot_count,
            max(committed_at) as newest_snapshot_at,
            max_by(summary, committed_at) as totals
        from {{ table.schema }}."{{ table.identifier }}$snapshots"
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
)

select
    table_name,
    coalesce(cast(element_at(totals, 'total-data-files') as bigint), 0) as file_count,
    coalesce(cast(element_at(totals, 'total-records') as bigint), 0) as row_count,
    coalesce(cast(element_at(totals, 'total-files-size') as bigint), 0) as byte_count,
    snapshot_count,
    cast(newest_snapshot_at as timestamp(6) with time zone) as newest_snapshot_at
from snapshots
