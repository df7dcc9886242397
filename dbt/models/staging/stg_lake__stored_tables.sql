-- Grain: table that the stream appends to. How it is stored now: files, rows, bytes, snapshots.
-- Inputs: the metadata tables $files and $snapshots of each. No data file is opened.
-- Excluded: the tables of changes.
{%- set tables = [
    source('raw', 'clickstream'),
    source('raw', 'checkouts'),
    source('raw', 'quarantine'),
    source('attribution', 'attributed_checkouts'),
] %}
with

files as (
    {%- for table in tables %}
        select
            '{{ table.schema }}.{{ table.identifier }}' as table_name,
            count(*) as file_count,
            coalesce(sum(record_count), 0) as row_count,
            coalesce(sum(file_size_in_bytes), 0) as byte_count
        from {{ table.schema }}."{{ table.identifier }}$files"
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

snapshots as (
    {%- for table in tables %}
        select
            '{{ table.schema }}.{{ table.identifier }}' as table_name,
            count(*) as snapshot_count,
            max(committed_at) as newest_snapshot_at
        from {{ table.schema }}."{{ table.identifier }}$snapshots"
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
)

select
    files.table_name,
    files.file_count,
    files.row_count,
    files.byte_count,
    snapshots.snapshot_count,
    cast(snapshots.newest_snapshot_at as timestamp(6) with time zone) as newest_snapshot_at
from files
inner join snapshots on files.table_name = snapshots.table_name
