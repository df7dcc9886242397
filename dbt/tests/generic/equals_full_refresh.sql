{#-
The mart, built in many steps, equals what a full refresh would give now: no row is missing,
different or surplus.

full_refresh: the view that the mart is built from.
key: the mart's grain, its hour first if it has one.
time: a column. The test then runs in slices of it (macros/tested_rows.sql).
macro: the macro that the view is made of, if it takes hours and a predicate on the view would read
  all of history.
-#}
{% test equals_full_refresh(model, full_refresh, key, time=none, macro=none) %}
{%- set columns = adapter.get_columns_in_relation(model) | map(attribute="name") | list if execute else key -%}
{%- call(hours) sliced(time) %}
{{ differences_to_full_refresh(model, full_refresh, key, columns, time, macro, hours) }}
{%- endcall %}
{% endtest %}
