{#-
Each row comes from a row of `origin` with the same columns. `time` is one of them; the test runs in
slices of it (macros/tested_rows.sql).
-#}
{% test has_origin(model, origin, columns, time) %}
{%- call(hours) sliced(time) %}
select {{ columns | join(", ") }}
from {{ model }}
where {{ within(hours, time) }}
except
select {{ columns | join(", ") }}
from {{ origin }}
where {{ within(hours, time) }}
{%- endcall %}
{% endtest %}
