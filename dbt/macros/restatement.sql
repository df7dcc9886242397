{#-
How the hourly marts stay exact although they are incremental:

1. `first_hour_to_restate` finds the earliest hour that received a row since the last build, late
   rows and replayed history included.
2. The build computes that hour and all later hours again, completely.
3. `only_restated` keeps the rows that differ from the mart, including rows that no longer exist. So
   a build without news writes nothing: no snapshot, no file.

`hours_with_news` does all three. It is the body of every hourly mart.

view: the rows of the mart, computed from scratch. inputs: see `first_hour_to_restate`.
-#}
{% macro hours_with_news(view, inputs) -%}
{%- set since = 'event_hour >= ' ~ first_hour_to_restate(inputs) -%}
with

hours as (
    select * from {{ view }}
    where {{ since }}
)

{{ only_restated('hours', where=since) }}
{%- endmacro %}

{#-
The first hour to compute again, as an SQL literal; the beginning of time on a first build.

inputs: a list of {relation, hour, seen}.
  relation: a model or a subquery, without deduplication, so that a predicate on `seen` prunes files
  hour: its column of the hour
  seen: its column of the time at which a row arrived
-#}
{% macro first_hour_to_restate(inputs) -%}
    {%- set since = seen_before() -%}
    {%- if since is none -%}
        {{ return("timestamp '0001-01-01 00:00:00 UTC'") }}
    {%- endif -%}
    {%- set query -%}
        select cast(min(restated_hour) as varchar)
        from (
            {%- for input in inputs %}
            select min({{ input.hour }}) as restated_hour
            from {{ input.relation }}
            where {{ input.seen }} > {{ since }}
            {%- if not loop.last %}
            union all
            {%- endif %}
            {%- endfor %}
        )
    {%- endset -%}
    {%- set first = run_query(query).columns[0][0] -%}
    {#- If nothing arrived, compute only the hours from `since` on. -#}
    {{ return("timestamp '" ~ first ~ "'" if first else since) }}
{%- endmacro %}

{#-
The time before which the last build has seen every row that arrived, as an SQL literal. It may also
have seen some later rows (var restatement_overlap_minutes). Returns none on a first build or if the
mart is empty.
-#}
{% macro seen_before() -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set overlap = var("restatement_overlap_minutes") -%}
    {%- set query -%}
        select cast(max(latest_ingested_at) - interval '{{ overlap }}' minute as varchar)
        from {{ this }}
    {%- endset -%}
    {%- set since = run_query(query).columns[0][0] -%}
    {{ return("timestamp '" ~ since ~ "'" if since else none) }}
{%- endmacro %}

{#-
Rows of `relation` that the mart does not hold in the same form; all rows on a first build.

Compares by position. That is safe because a model's columns follow the order of its contract, and a
changed schema needs a full refresh (`on_schema_change: fail`).
-#}
{% macro only_changed(relation) -%}
select * from {{ relation }}
    {%- if is_incremental() %}
except
select * from {{ this }}
    {%- endif %}
{%- endmacro %}

{#-
Rows of `relation` that the mart does not hold in the same form, plus the keys of rows that only the
mart holds. Such a row has nothing but its key, which tells the merge to delete it (merge.sql). All
rows on a first build.

A row disappears when everything it counted moves to another row: from `unknown` to a category that
the shop's tables gave later, or from `unattributed` to the source of a late click.

where: a predicate. Only the mart's rows that fulfil it are compared.
-#}
{% macro only_restated(relation, where) -%}
    {%- if not is_incremental() -%}
select * from {{ relation }}
    {%- else -%}
        {%- set key = config.get("unique_key") -%}
        {%- set columns = model.columns.keys() | list -%}
select
        {%- for column in columns %}
    {{ "coalesce(news." ~ column ~ ", mart." ~ column ~ ") as " ~ column if column in key else "news." ~ column }}
        {{- "," if not loop.last }}
        {%- endfor %}
from {{ relation }} as news
full outer join (select * from {{ this }} where {{ where }}) as mart
    on
        {%- for column in key %}
        {{ "and " if not loop.first }}news.{{ column }} = mart.{{ column }}
        {%- endfor %}
where
    row(news.{{ columns | join(", news.") }})
    is distinct from row(mart.{{ columns | join(", mart.") }})
    {%- endif %}
{%- endmacro %}
