-- Grain: version of a product. What dim_products holds, computed from scratch.
-- Input: stg_lake__products_changes. Excluded: changes that leave every column here as it was.
-- Intervals: half-open; see macros/versions.sql for what the first and the last one are.
{{ product_versions() }}
