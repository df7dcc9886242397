-- Grain: one message that broke the contract.
-- Input: raw.quarantine. Excluded: nothing.
with

source as (
    select * from {{ source('raw', 'quarantine') }}
),

renamed as (
    select
        topic,
        kafka_partition,
        kafka_offset,
        message_key,
        body,
        reason,
        ingested_at
    from source
)

select * from renamed
