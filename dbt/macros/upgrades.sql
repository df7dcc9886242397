{#-
Renames the hour column of existing marts to `event_hour`. Runs before the models of every
`dbt run` and `dbt build` (on-run-start in dbt_project.yml).

Why: in version 0.1.0 of this dbt project (up to commit 8099daf) the marts called their hour
`checkout_hour` or `activity_hour`. A lakehouse of that version keeps these tables. Without the
rename, the next incremental build would fail, because its key would name a column that the table
lacks, and a full refresh would throw away what time travel can reach. A rename changes Iceberg's
metadata only: it rewrites no data file, keeps the column's position, and keeps the partitioning,
which refers to columns by id.

- The macro renames only the columns that it finds under their old names, so it changes nothing in a
  new lakehouse or in a second run. It then costs one query of information_schema.
- The views of the old version read the old names. They fail after the rename until this run has
  replaced them. attribution_models/ reads one of them, `int_journeys_counted_by_path`, before each
  build. It skips a missing view but fails on a broken one, and then no build would start. So the
  macro drops that view first. If this run stops halfway, the next `dbt run` continues.

Remove this file once no lakehouse of version 0.1.0 is left.
-#}
{% macro rename_hours_of_marts() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
        {%- set old_names = hours_before_0_2_0() -%}
        {%- set query -%}
            select table_name, column_name
            from information_schema.columns
            where
                table_schema = 'marts'
                and table_name in ('{{ old_names | join("', '") }}')
                and column_name in ('{{ old_names.values() | unique | join("', '") }}')
            order by table_name
        {%- endset -%}
        {%- set found = run_query(query).rows -%}
        {%- if found -%}
            {%- do run_query('drop view if exists staging.int_journeys_counted_by_path') -%}
        {%- endif -%}
        {%- for table_name, column_name in found if old_names[table_name] == column_name -%}
            {%- set rename = 'rename column ' ~ column_name ~ ' to event_hour' -%}
            {%- do log('marts.' ~ table_name ~ ': ' ~ rename, info=true) -%}
            {%- do run_query('alter table marts.' ~ table_name ~ ' ' ~ rename) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#-
Gives the marts that this command builds the partitioning of today, if they have another one. Runs like
the macro above. Only the partitioning of new files changes; housekeeping writes the others again.
-#}
{% macro partition_marts() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
        {%- for model in graph.nodes.values() if model.unique_id in selected_resources and model.config.properties -%}
            {%- set partitioning = "partitioning = " ~ model.config.properties.partitioning -%}
            {%- set mart = adapter.get_relation(model.database, model.schema, model.alias) -%}
            {%- if mart and partitioning not in run_query('show create table ' ~ mart)[0][0] | lower -%}
                {%- do log(mart ~ ': ' ~ partitioning, info=true) -%}
                {%- do run_query('alter table ' ~ mart ~ ' set properties ' ~ partitioning) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- The hour's name in each mart of version 0.1.0. -#}
{% macro hours_before_0_2_0() -%}
    {{ return({
        'attributed_checkouts': 'checkout_hour',
        'category_popularity_hourly': 'activity_hour',
        'customer_gender_hourly': 'checkout_hour',
        'device_geo_hourly': 'activity_hour',
        'funnel_hourly': 'activity_hour',
        'payment_failures_hourly': 'checkout_hour',
        'return_on_ad_spend_hourly': 'activity_hour',
        'revenue_hourly': 'checkout_hour',
        'source_performance_hourly': 'activity_hour',
    }) }}
{%- endmacro %}
