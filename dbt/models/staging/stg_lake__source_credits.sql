-- Grain: learning run, model and source.
-- Input: marts.source_credit. Excluded: nothing.
with

source as (
    select * from {{ source('learnt', 'source_credit') }}
),

renamed as (
    select
        run_id,
        model,
        source,
        weight,
        conversion_share,
        journey_share,
        conversion_count,
        journey_count,
        applies_from,
        computed_at
    from source
)

select * from renamed
