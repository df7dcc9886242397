{#-
What the sources have of an hour adds up to the whole hour, in every attribution model.

Hours that received something of late are left out: the two marts are not built at the same moment.

whole: the mart of hours. columns: those of this mart, each with that of the whole.
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
        ) - interval '{{ var("restatement_overlap_minutes") }}' minute as settled_at
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
