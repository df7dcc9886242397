{#-
The columns together are the grain: no two rows share them. `complete` or the contract rules out
nulls.
-#}
{% test unique_together(model, columns) %}
select
    {{ columns | join(", ") }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(", ") }}
having
    count(*) > 1
{% endtest %}
