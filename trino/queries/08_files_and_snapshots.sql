-- How are the tables stored? The files, rows, bytes, mean file size and snapshots of each.
-- Reads: the metadata tables $files and $snapshots. Opens no data file.
with files as (
    select
        'raw.clickstream' as table_name,
        record_count,
        file_size_in_bytes
    from raw."clickstream$files"
    union all
    select
        'raw.checkouts' as table_name,
        record_count,
        file_size_in_bytes
    from raw."checkouts$files"
    union all
    select
        'attribution.attributed_checkouts' as table_name,
        record_count,
        file_size_in_bytes
    from attribution."attributed_checkouts$files"
),

snapshots as (
    select
        'raw.clickstream' as table_name,
        committed_at
    from raw."clickstream$snapshots"
    union all
    select
        'raw.checkouts' as table_name,
        committed_at
    from raw."checkouts$snapshots"
    union all
    select
        'attribution.attributed_checkouts' as table_name,
        committed_at
    from attribution."attributed_checkouts$snapshots"
),

file_totals as (
    select
        table_name,
        count(*) as file_count,
        sum(record_count) as row_count,
        sum(file_size_in_bytes) as byte_count
    from files
    group by table_name
),

snapshot_totals as (
    select
        table_name,
        count(*) as snapshot_count,
        max(committed_at) as newest_snapshot_at
    from snapshots
    group by table_name
)

select
    snapshot_totals.table_name,
    coalesce(file_totals.file_count, 0) as file_count,
    coalesce(file_totals.row_count, 0) as row_count,
    coalesce(file_totals.byte_count, 0) as byte_count,
    file_totals.byte_count / file_totals.file_count as mean_file_byte_count,
    snapshot_totals.snapshot_count,
    snapshot_totals.newest_snapshot_at
from snapshot_totals
left join file_totals on snapshot_totals.table_name = file_totals.table_name
order by snapshot_totals.table_name
