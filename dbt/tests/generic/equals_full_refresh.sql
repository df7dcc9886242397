{#-
The mart's history, built in many steps, equals what a full refresh would give now: no row is
missing, differs, or should be gone.

What received something since the last build is left out, with all that shares the first column of
the key with it (a count that moves leaves one row for another of its hour): the next build
restates it.

full_refresh: the view that the mart is built from. key: the mart's grain, its hour first if it has
one. hour: that hour of a mart which has one; then `--vars '{tested_hours: N}'` compares the last N
hours alone, at a cost that does not grow with history. All of it otherwise.
-#}
{% test equals_full_refresh(model, full_refresh, key, hour=none) %}
{%- set tested_hours = var("tested_hours", none) -%}
{%- set rows_tested -%}
    {%- if hour and tested_hours -%}
        {%- set since = run_started_at - modules.datetime.timedelta(hours=tested_hours) -%}
where {{ hour }} >= timestamp '{{ since.strftime("%Y-%m-%d %H") }}:00:00 UTC'
    {%- endif -%}
{%- endset %}
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
    from (select * from {{ full_refresh }} {{ rows_tested }}) as full_refresh
    full outer join (select * from {{ model }} {{ rows_tested }}) as mart
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
