-- Grain: one row. Since when the stream has answered each attempt to pay, not only the first
-- message of each checkout_id within the lookback. 1970 if it always has.
-- Input: a property that flink_jobs/lake_tables.py sets, of attribution.attributed_checkouts.
{%- set answers = source('attribution', 'attributed_checkouts') %}
with

properties as (
    select
        key,
        value
    from {{ answers.schema }}."{{ answers.identifier }}$properties"
)

select
    cast(
        from_unixtime(cast(max(value) as double) / 1e3, 'UTC') as timestamp(6) with time zone
    ) as answers_each_attempt_since
from properties
where key = 'tributary.answers-each-attempt-since-ms'
