{#-
Renames the hour column of existing marts to `event_hour`. Runs before the models of every
`dbt run` and `dbt build` (on-run-start in dbt_project.yml).

Why: until version 0.1.0 of this project the marts called their hour `checkout_hour` or
`activity_hour`. A lakehouse built by that version keeps these tables. Without the rename, the next
incremental build would fail (`on_schema_change: fail`), and a full refresh would throw away
snapshots. A rename changes Iceberg's metadata only: it rewrites no data file, keeps the column's
position, and keeps the partitioning, which refers to columns by id.

- The macro renames only what it finds under the old name, so a new lakehouse and a second run
  change nothing. It then costs one query of information_schema.
- The views of the old version still read the old names, so they fail from the rename until this
  run has made them again. One is read by others than dbt: attribution_models/ learns from
  `int_journeys_counted_by_path` before each build. It skips a view that is missing but fails on a
  broken one, and then no build would start. So the macro drops that view first. If this run stops
  halfway, the next one continues.

Remove it once no lakehouse of version 0.1.0 is left.
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
