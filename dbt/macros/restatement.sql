{#-
The hourly marts are incremental without losing exactness:

1. `first_hour_to_restate` asks which is the earliest hour that received a row since the last
   build (late rows and replayed history included);
2. that hour and all later ones are computed again, whole;
3. `only_restated` keeps the rows that differ from the mart, those that are gone among them, so
   a build without news writes nothing: no snapshot, no file.

`hours_with_news` is all three: the body of an hourly mart.

view: the same rows, computed from scratch. inputs: as of `first_hour_to_restate`.
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
First hour to compute again, as an SQL literal; the beginning of time on a first build.

inputs: a list of {relation, hour, seen}: a model without deduplication (so that `seen`, the
time at which a row came in, prunes files) or a subquery, the column of its hour, the column of
that time.
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
    {#- Nothing came in: the hours to come. -#}
    {{ return("timestamp '" ~ first ~ "'" if first else since) }}
{%- endmacro %}

{#-
What came in before has been seen by the last build, as an SQL literal; none on a first build, or
where the mart is empty. Some of what it has seen comes after (var restatement_overlap_minutes).
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
Rows of `relation` that the mart does not hold in the same form; all of them on a first build.

Compared by position: a model's columns are in the order of its contract, and a changed schema
asks for a full refresh (`on_schema_change='fail'`).
-#}
{% macro only_changed(relation) -%}
select * from {{ relation }}
    {%- if is_incremental() %}
except
select * from {{ this }}
    {%- endif %}
{%- endmacro %}

{#-
Rows of `relation` that the mart does not hold in the same form, and of those that only the mart
holds the key: nothing else of them is set, which tells the merge to delete them. All rows on a
first build.

A row goes when what it counted has moved to another: from `unknown` to a category that the shop's
books told later, from `unattributed` to the source of a late click.

where: a predicate; only the mart's rows that fulfil it are compared.
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
