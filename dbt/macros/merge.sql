{#-
Overrides dbt-trino's merge, in two ways:

- A source row without `latest_ingested_at` deletes its target row. `only_restated` (restatement.sql)
  makes such rows, with nothing set but the key. Deletes and updates share one commit, so no reader
  sees an hour without its rows or with some of them twice.
- The merge reads the target's rows of the computed hours only (`merged_hours`).

The macro patches the text of dbt-trino's own macro. It fails if the text lacks the clause that it
patches. tests/serving/test_dbt_project.py fails on any other change of that text.
-#}
{% macro trino__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {%- set predicates = incremental_predicates or merged_hours(slices_in(compiled_code)[0]) -%}
    {%- set merge = dbt.trino__get_merge_sql(target, source, unique_key, dest_columns, predicates) -%}
    {%- set update = 'when matched then update' -%}
    {%- if merge.count(update) != 1 -%}
        {{ exceptions.raise_compiler_error(
            "dbt-trino's trino__get_merge_sql no longer has one clause '" ~ update
            ~ "', so dbt/macros/merge.sql cannot add its delete; adapt that macro to this dbt-trino"
        ) }}
    {%- endif -%}
    {{
        merge | replace(
            update,
            'when matched and DBT_INTERNAL_SOURCE.latest_ingested_at is null then delete
        ' ~ update
        )
    }}
{%- endmacro %}

{#-
Predicates of a merge of a slice (slices_in). Without them Trino would keep the keys of all of the
target's rows in memory: it can't know that the source has rows of these hours only.
-#}
{% macro merged_hours(slice) -%}
    {{ return(none if slice.hours is none else [within(slice.hours, 'DBT_INTERNAL_DEST.event_hour')]) }}
{%- endmacro %}
