{#-
The mart's history, built in many steps, equals what a full refresh would give now: no row is
missing, differs, or should be gone.

What received something since the last build is left out, with all that shares the first column of
the key with it (a count that moves leaves one row for another of its hour): the next build
restates it.

full_refresh: the view that the mart is built from. key: the mart's grain, its hour first if it has
one. time: a column; then `--vars '{tested_hours: N}'` compares the last N hours by it alone, at a
cost that does not grow with history. All of history otherwise. macro: what the view is made of,
if a predicate on the view would read all of history and the macro takes hours.
-#}
{% test equals_full_refresh(model, full_refresh, key, time=none, macro=none) %}
{%- set tested_hours = var("tested_hours", none) -%}
{%- set hours = none -%}
{%- if time and tested_hours -%}
    {%- set first = run_started_at - modules.datetime.timedelta(hours=tested_hours) -%}
    {%- set hours = [[first.strftime("%Y-%m-%d %H:00:00 UTC"), "9999-12-31 00:00:00 UTC"]] -%}
{%- endif -%}
{%- set columns = adapter.get_columns_in_relation(model) | map(attribute="name") | list if execute else key -%}
with newest as (
    select
        max(latest_ingested_at) - interval '{{ var("restatement_overlap_minutes") }}' minute as settled_at
    from {{ model }}
),

compared as (
    select
        {%- for column in key %}
        coalesce(full_refresh.{{ column }}, mart.{{ column }}) as {{ column }},
        {%- endfor %}
        row(full_refresh.{{ columns | join(", full_refresh.") }}) as full_refresh,
        row(mart.{{ columns | join(", mart.") }}) as mart,
        max(full_refresh.latest_ingested_at) over neighbours as received_at,
        max(mart.latest_ingested_at) over neighbours as seen_at
    from (
        {%- if hours and macro == "attributed_checkouts" %}
        {#- By its name: a test may call no other macros than those that dbt sees called in it. #}
        {{ attributed_checkouts(hours) }}
        {%- else %}
        select * from {{ full_refresh }} where {{ within(hours, time) }}
        {%- endif %}
    ) as full_refresh
    full outer join (select * from {{ model }} where {{ within(hours, time) }}) as mart
        on
            {%- for column in key %}
            {{ "and " if not loop.first }}full_refresh.{{ column }} = mart.{{ column }}
            {%- endfor %}
    window neighbours as (partition by coalesce(full_refresh.{{ key[0] }}, mart.{{ key[0] }}))
)

select
    {{ key | join(", ") }},
    full_refresh,
    mart
from compared
cross join newest
where
    full_refresh is distinct from mart
    and (
        -- The mart has seen all that there is of these ...
        received_at = seen_at
        -- ... or should have: what they received came in before its newest row.
        or coalesce(received_at, seen_at) < newest.settled_at
    )
{% endtest %}
