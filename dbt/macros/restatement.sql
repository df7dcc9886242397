{#-
The hourly marts are incremental without losing exactness:

1. `first_hour_to_restate` asks which is the earliest hour that received a row since the last
   build (late rows and replayed history included);
2. the model computes that hour and all later ones again, whole;
3. `only_changed` keeps the rows that differ from the mart, so a build without news writes
   nothing: no snapshot, no file.
-#}

{#-
First hour to compute again, as an SQL literal; the beginning of time on a first build.

inputs: a list of {relation, hour, seen}: a model without deduplication (so that `seen`, the
time at which a row came in, prunes files), the column of its hour, the column of that time.
-#}
{% macro first_hour_to_restate(inputs) -%}
    {%- set everything = "timestamp '0001-01-01 00:00:00 UTC'" -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(everything) }}
    {%- endif -%}
    {%- set newest = run_query(
        "select cast(max(latest_ingested_at) as varchar) from " ~ this
    ).columns[0][0] -%}
    {%- if newest is none -%}
        {{ return(everything) }}
    {%- endif -%}
    {%- set overlap = var("restatement_overlap_minutes") -%}
    {%- set query -%}
        select cast(min(restated_hour) as varchar)
        from (
            {%- for input in inputs %}
            select min({{ input.hour }}) as restated_hour
            from {{ input.relation }}
            where {{ input.seen }} > timestamp '{{ newest }}' - interval '{{ overlap }}' minute
            {%- if not loop.last %}
            union all
            {%- endif %}
            {%- endfor %}
        )
    {%- endset -%}
    {%- set first = run_query(query).columns[0][0] -%}
    {#- Nothing came in: the hours to come. -#}
    {{ return("timestamp '" ~ (first or newest) ~ "'") }}
{%- endmacro %}

{#-
Rows of `relation` that the mart does not hold in the same form; all of them on a first build.

Compared by position: a model's columns are in the order of its contract, and a changed schema
asks for a full refresh (`on_schema_change='fail'`).
-#}
{% macro only_changed(relation, hour, first_hour) -%}
select * from {{ relation }}
    {%- if is_incremental() %}
except
select * from {{ this }}
where {{ hour }} >= {{ first_hour }}
    {%- endif %}
{%- endmacro %}
