-- Grain: one change of a row of the shop's table ad_spend. Holds the row after the change,
-- or the row before it if the change is a delete.
-- Input: raw.ad_spend_changes. Excluded: nothing. A snapshot is the row as the change
-- capture found it at the start.
with

source as (
    select * from {{ source('raw', 'ad_spend_changes') }}
),

renamed as (
    select
        spend_hour as spent_at,
        date_trunc('hour', spend_hour) as spend_hour,
        source,
        campaign,
        spend_usd,
        operation,
        operation = 'delete' as is_deleted,
        changed_at,
        date_trunc('hour', changed_at) as change_hour,
        source_lsn,
        kafka_partition,
        kafka_offset,
        ingested_at
    from source
)

select * from renamed
