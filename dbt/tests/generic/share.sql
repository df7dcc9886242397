{#- A part of a whole: 0 to 1, or null where there is no whole. -#}
{% test share(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not between 0 and 1
{% endtest %}
