-- Grain: hour, source and campaign. The spend of the current hour grows until the hour is
-- over.
-- Input: stg_lake__ad_spend_changes. Excluded: nothing. A deleted row stays with a spend
-- of 0, so that a merge corrects marts that already hold the row. Rows of the shop that are
-- dated within the hour, at half past for instance, add up to the hour's spend.
with

numbered as (
    select
        *,
        row_number() over (
            partition by spent_at, source, campaign
            order by source_lsn desc, kafka_offset desc
        ) as change_number
    from {{ ref('stg_lake__ad_spend_changes') }}
)

select
    spend_hour,
    source,
    campaign,
    cast(sum(if(is_deleted, 0, spend_usd)) as decimal(18, 2)) as spend_usd,
    max(ingested_at) as latest_ingested_at
from numbered
where change_number = 1
group by spend_hour, source, campaign
