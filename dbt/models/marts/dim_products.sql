-- Grain: version of a product, which holds in [valid_from, valid_to); of each product at most
-- one holds at any moment.
-- Input: stg_lake__products_changes; int_products_versioned has the same rows, computed from
-- scratch.
-- Incremental: of products that changed since the last build, new versions, and the one that
-- each of them closes, are merged; a build without news writes nothing.
{{ config(unique_key=['product_id', 'version_number']) }}

with

versions as (
    {{ product_versions(seen_before()) | indent(4) }}
)

{{ only_changed('versions') }}
