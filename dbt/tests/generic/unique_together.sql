{#- The columns, together, are the grain: no two rows share them. Null-free by `complete` or the contract. -#}
{% test unique_together(model, columns) %}
select
    {{ columns | join(", ") }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(", ") }}
having
    count(*) > 1
{% endtest %}
