{#-
Rows of a mart that differ from what a full refresh would give now (test equals_full_refresh).

Skips rows whose input changed since the last build, and all rows with the same first column of the
key, because a count can move from one row to another of its hour. The next build restates them.

hours: ranges; only these are compared. columns: all columns of the mart. The other arguments are
those of the test.
-#}
{% macro differences_to_full_refresh(model, full_refresh, key, columns, time, macro, hours) -%}
with newest as (
    select
        max(latest_ingested_at) - {{ restatement_overlap() }} as settled_at
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
        {%- if macro == "attributed_checkouts" %}
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
{%- endmacro %}
