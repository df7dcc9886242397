-- Grain: one checkout. The rows of attributed_checkouts, computed from scratch.
-- Inputs: int_checkouts_deduplicated, stg_lake__clicks, stg_lake__attributed_checkouts,
-- and the versions of dim_users and dim_products at the time of the checkout.
-- macros/attribution.sql has the rules.
-- Excluded: on-time checkouts that the stream has not answered yet. Late checkouts:
-- included.
{{ attributed_checkouts() }}
