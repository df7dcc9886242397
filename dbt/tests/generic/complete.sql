{#- No column is ever null. One scan covers all of them. -#}
{% test complete(model, columns) %}
select {{ columns | join(", ") }}
from {{ model }}
where
    {%- for column in columns %}
    {{ "or " if not loop.first }}{{ column }} is null
    {%- endfor %}
{% endtest %}
