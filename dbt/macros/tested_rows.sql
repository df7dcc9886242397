{#-
Which rows the data tests read. `make marts` tests all of history. The schedule passes the var
`tested_hours` and tests only what is that new, so that its cost does not grow with history.

A test whose memory grows with the rows that it reads has an argument `time`. It runs slice by slice
of that column (`sliced`), in bounded memory. Every other test of a large table says what it reads by
`where`, in which `tested_since` stands for a point in time.
-#}

{#- The time from which rows are tested, as text. -#}
{% macro tested_from() -%}
    {%- set tested_hours = var("tested_hours", none) -%}
    {%- if not tested_hours -%}
        {{ return(all_hours()[0][0]) }}
    {%- endif -%}
    {%- set first = run_started_at - modules.datetime.timedelta(hours=tested_hours) -%}
    {{ return(first.strftime("%Y-%m-%d %H:00:00.000000 UTC")) }}
{%- endmacro %}

{#- Overrides dbt's macro: it does the same, but does not know `tested_since`. -#}
{% macro trino__get_where_subquery(relation) -%}
    {%- set where = config.get("where") -%}
    {%- if not where -%}
        {{ return(relation) }}
    {%- endif -%}
    (
        select * from {{ relation }}
        where {{ where | replace("tested_since", "timestamp '" ~ tested_from() ~ "'") }}
    ) as tested
{%- endmacro %}

{#-
The body of a test that runs slice by slice: `{% call(hours) sliced(time) %}`, then the query for one
slice, which reads only rows `within(hours, time)`. A test has one query. This one finds the rows of
the first slice that fails. Without a time there is one slice, with all rows.
-#}
{% macro sliced(time) -%}
    {%- set queries = [] -%}
    {%- for hours in (slices([[tested_from(), all_hours()[0][1]]]) if time else [none]) -%}
        {%- do queries.append(caller(hours)) -%}
    {%- endfor -%}
    {%- set first = namespace(found=queries[-1]) -%}
    {%- for query in queries[:-1] if first.found == queries[-1] -%}
        {%- if run_query("select count(*) from (" ~ query ~ ")").rows[0][0] > 0 -%}
            {%- set first.found = query -%}
        {%- endif -%}
    {%- endfor -%}
    {{ first.found }}
{%- endmacro %}
