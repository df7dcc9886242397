-- Grain: hour and source. On-time checkouts, as the stream attributed them; all clicks.
-- Input: int_sources_compared_by_hour (the same rows, computed from scratch).
-- Incremental: every hour from the first one that received a row since the last build is
-- computed again and merged where it differs; a build without news writes nothing.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['activity_hour', 'source'],
        on_schema_change='fail',
    )
}}

{%- set first_hour = first_hour_to_restate([
    {'relation': ref('stg_lake__clicks'), 'hour': 'click_hour', 'seen': 'ingested_at'},
    {
        'relation': ref('stg_lake__attributed_checkouts'),
        'hour': 'checkout_hour',
        'seen': 'attributed_at',
    },
]) %}

with

hours as (
    select * from {{ ref('int_sources_compared_by_hour') }}
    where activity_hour >= {{ first_hour }}
)

{{ only_changed('hours', 'activity_hour', first_hour) }}
