-- Grain: one table that the stream appends to, and how it is stored now: files, rows,
-- bytes, snapshots.
-- Input: stg_lake__stored_tables. Excluded: the tables of changes.
-- A view: as fresh as the last commit of the stream.
select
    table_name,
    file_count,
    row_count,
    byte_count,
    snapshot_count,
    newest_snapshot_at
from {{ ref('stg_lake__stored_tables') }}
