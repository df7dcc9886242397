{#- Every time is the beginning of an hour. -#}
{% test whole_hour(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} <> date_trunc('hour', {{ column_name }})
{% endtest %}
