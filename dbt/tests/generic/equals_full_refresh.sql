{#-
The mart, built in many steps, equals what a full refresh would give now: no row is missing,
different or surplus. Compares slice by slice (macro slices), in bounded memory. Of several slices
that differ, it shows the rows of the first one.

full_refresh: the view that the mart is built from.
key: the mart's grain, its hour first if it has one.
time: a column. With `--vars '{tested_hours: N}'` the test then compares only the last N hours of it,
  at a cost that does not grow with history. Otherwise it compares all of history.
macro: the macro that the view is made of, if it takes hours and a predicate on the view would read
  all of history.
-#}
{% test equals_full_refresh(model, full_refresh, key, time=none, macro=none) %}
{%- set tested_hours = var("tested_hours", none) -%}
{%- set hours = all_hours() if time else none -%}
{%- if time and tested_hours -%}
    {%- set first = run_started_at - modules.datetime.timedelta(hours=tested_hours) -%}
    {%- set hours = [[first.strftime("%Y-%m-%d %H:00:00.000000 UTC"), all_hours()[0][1]]] -%}
{%- endif -%}
{%- set columns = adapter.get_columns_in_relation(model) | map(attribute="name") | list if execute else key -%}
{%- set comparisons = [] -%}
{%- for slice in (slices(hours) if time else [hours]) -%}
    {%- do comparisons.append(
        differences_to_full_refresh(model, full_refresh, key, columns, time, macro, slice)
    ) -%}
{%- endfor -%}
{%- set first = namespace(found=comparisons[-1]) -%}
{%- for comparison in comparisons[:-1] if first.found == comparisons[-1] -%}
    {%- if run_query("select count(*) from (" ~ comparison ~ ")").rows[0][0] > 0 -%}
        {%- set first.found = comparison -%}
    {%- endif -%}
{%- endfor -%}
{{ first.found }}
{% endtest %}
