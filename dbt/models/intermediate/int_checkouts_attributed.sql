-- Grain: checkout. What attributed_checkouts holds, computed from scratch.
-- Inputs: int_checkouts_deduplicated, stg_lake__clicks, stg_lake__attributed_checkouts, and
-- what held then of dim_users and dim_products; macros/attribution.sql has the rules.
-- Excluded: on-time checkouts that the stream has not answered yet. Late ones: included.
{{ attributed_checkouts() }}
