{#-
The mart's history, built in many steps, equals what a full refresh would give now.

Rows of hours that received something since the last build are left out: the next build
restates them. What is left must be equal in every column.

full_refresh: the view that the mart is built from. key: the mart's grain.
-#}
{% test equals_full_refresh(model, full_refresh, key) %}
with mart as (
    select * from {{ model }}
),

newest as (
    select max(latest_ingested_at) as seen_at from mart
),

settled as (
    select full_refresh.*
    from {{ full_refresh }} as full_refresh
    cross join newest
    left join mart
        on
            {%- for column in key %}
            {{ "and " if not loop.first }}full_refresh.{{ column }} = mart.{{ column }}
            {%- endfor %}
    where
        -- The mart has seen all that there is of this row ...
        full_refresh.latest_ingested_at = mart.latest_ingested_at
        -- ... or should have: a row that it lacks came in before its newest one.
        or full_refresh.latest_ingested_at
        < newest.seen_at - interval '{{ var("restatement_overlap_minutes") }}' minute
)

select * from settled
except
select * from mart
{% endtest %}
