{#-
Overrides dbt-trino's merge: a source row without `latest_ingested_at` deletes its target row.
`only_restated` (restatement.sql) makes such rows, with nothing set but the key. Deletes and updates
share one commit, so no reader sees an hour without its rows or with some of them twice.

The macro patches the text of dbt-trino's own macro. It fails if the text lacks the clause that it
patches. tests/serving/test_dbt_project.py fails on any other change of that text.
-#}
{% macro trino__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {%- set merge = dbt.trino__get_merge_sql(
        target, source, unique_key, dest_columns, incremental_predicates
    ) -%}
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
