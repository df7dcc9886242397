-- Grain: one version of a product, valid from valid_from to valid_to (exclusive). At any
-- moment at most one version of a product is valid.
-- Input: stg_lake__products_changes. int_products_versioned holds the same rows, computed
-- from scratch.
-- Incremental: for products that changed since the last build, a build merges the new
-- versions and the versions that they close. A build without news writes nothing.
{{
    config(
        unique_key=['product_id', 'version_number'],
        properties={'partitioning': "array['year(valid_from)']"},
    )
}}

with

versions as (
    {{ product_versions(seen_before()) | indent(4) }}
)

{{ only_changed('versions') }}
