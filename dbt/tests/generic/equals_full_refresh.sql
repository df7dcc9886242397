{#-
The mart, built in many steps, equals what a full refresh would give now: no row is missing,
different or surplus.

Skips rows whose input changed since the last build, and all rows with the same first column of the
key, because a count can move from one row to another of its hour. The next build restates them.

full_refresh: the view that the mart is built from.
key: the mart's grain, its hour first if it has one.
time: a column. With `--vars '{tested_hours: N}'` the test then compares only the last N hours of it,
  at a cost that does not grow with history. Otherwise it compares all of history.
macro: the macro that the view is made of, if it takes hours and a predicate on the view would read
  all of history.
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
        {#- Named here because a test can only call macros whose calls dbt finds in its text. #}
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
        -- The mart has seen all input of these rows ...
        received_at = seen_at
        -- ... or should have, because that input arrived before the newest row of the mart.
        or coalesce(received_at, seen_at) < newest.settled_at
    )
{% endtest %}
