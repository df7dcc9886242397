-- Grain: checkout, late ones included. The answer on all that is in the lake, and the stream's.
-- Input: int_checkouts_attributed (the same rows, computed from scratch), by the macro that it
-- is made of, for the hours that were touched since the last build.
-- Incremental: hours that a checkout, a late click or a change of a dimension touched are
-- computed again, and merged where rows differ; a build without news writes nothing.
{{
    config(
        unique_key=['checkout_id'],
        properties={'partitioning': "array['hour(checked_out_at)']"},
    )
}}

{%- set hours = touched_hours() %}

with

checkouts as (
    {{ attributed_checkouts(hours) | indent(4) }}
)

{{ only_restated('checkouts', where=within(hours, 'checked_out_at')) }}
