{#-
The columns together are the grain: no two rows share them. `complete` or the contract rules out
nulls.

time: a column. The test then runs in slices of it (macros/tested_rows.sql), and finds only rows that
share it, too.
-#}
{% test unique_together(model, columns, time=none) %}
{%- call(hours) sliced(time) %}
select
    {{ columns | join(", ") }},
    count(*) as row_count
from {{ model }}
where {{ within(hours, time) }}
group by {{ columns | join(", ") }}
having
    count(*) > 1
{%- endcall %}
{% endtest %}
