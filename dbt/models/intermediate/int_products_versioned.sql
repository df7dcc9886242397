-- Grain: one version of a product. The rows of dim_products, computed from scratch.
-- Input: stg_lake__products_changes. Excluded: changes that leave every column here
-- unchanged.
-- Intervals are half-open. macros/versions.sql explains where the first and the last one
-- end.
{{ product_versions() }}
