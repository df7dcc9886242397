{#-
At any moment at most one version of a key is valid: no version ends before it begins or after the
next one begins.
-#}
{% test no_overlap(model, key) %}
select
    {{ key }},
    valid_from,
    valid_to,
    next_valid_from
from (
    select
        {{ key }},
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by {{ key }}
            order by version_number
        ) as next_valid_from
    from {{ model }}
)
where
    valid_from > valid_to
    or valid_to > next_valid_from
{% endtest %}
