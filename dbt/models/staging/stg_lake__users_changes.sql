-- Grain: one change of a row of the shop's table users. Holds the row after the change, or
-- the row before it if the change is a delete.
-- Input: raw.users_changes. Excluded: nothing. A snapshot is the row as the change capture
-- found it at the start.
with

source as (
    select * from {{ source('raw', 'users_changes') }}
),

renamed as (
    select
        cast(user_id as bigint) as user_id,
        full_name as user_name,
        gender,
        birth_date,
        country,
        created_at as signed_up_at,
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
