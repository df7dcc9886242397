{#-
What the sources have of an hour adds up to the whole hour, in every attribution model.

Hours that received something of late are left out: the two marts are not built at the same moment.

whole: the mart of hours. hour: its column. columns: those of this mart, each with that of the whole.
-#}
{% test conserved(model, whole, hour, columns) %}
with parts as (
    select
        activity_hour,
        model,
        {%- for part in columns %}
        sum({{ part }}) as {{ part }},
        {%- endfor %}
        max(latest_ingested_at) as latest_ingested_at
    from {{ model }}
    group by activity_hour, model
),

settled as (
    select
        least(
            (select max(latest_ingested_at) from {{ model }}),
            (select max(latest_ingested_at) from {{ whole }})
        ) - interval '{{ var("restatement_overlap_minutes") }}' minute as settled_at
)

select
    wholes.{{ hour }},
    parts.model
    {%- for part, whole_column in columns.items() %},
    parts.{{ part }} as {{ part }}_of_sources,
    wholes.{{ whole_column }}
    {%- endfor %}
from {{ whole }} as wholes
cross join settled
left join parts on wholes.{{ hour }} = parts.activity_hour
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
