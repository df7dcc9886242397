{#-
In every attribution model, the sources of an hour add up to the whole hour.

Skips hours that received rows recently, because the two marts are not built at the same moment.

whole: the mart with one row per hour. columns: each column of this mart, with its column there.
-#}
{% test conserved(model, whole, columns) %}
with parts as (
    select
        event_hour,
        model,
        {%- for part in columns %}
        sum({{ part }}) as {{ part }},
        {%- endfor %}
        max(latest_ingested_at) as latest_ingested_at
    from {{ model }}
    group by event_hour, model
),

settled as (
    select
        least(
            (select max(latest_ingested_at) from {{ model }}),
            (select max(latest_ingested_at) from {{ whole }})
        ) - {{ restatement_overlap() }} as settled_at
)

select
    wholes.event_hour,
    parts.model
    {%- for part, whole_column in columns.items() %},
    parts.{{ part }} as {{ part }}_of_sources,
    wholes.{{ whole_column }}
    {%- endfor %}
from {{ whole }} as wholes
cross join settled
left join parts on wholes.event_hour = parts.event_hour
where
    wholes.latest_ingested_at < settled.settled_at
    and (
        parts.model is null
        or parts.latest_ingested_at < settled.settled_at
        and (
            {%- for part, whole_column in columns.items() %}
            {{ "or " if not loop.first }}parts.{{ part }} <> wholes.{{ whole_column }}
            {%- endfor %}
        )
    )
{% endtest %}
