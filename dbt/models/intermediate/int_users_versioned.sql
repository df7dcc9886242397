-- Grain: one version of a user. The rows of dim_users, computed from scratch.
-- Input: stg_lake__users_changes. Excluded: changes that leave every column here
-- unchanged.
-- Intervals are half-open. macros/versions.sql explains where the first and the last one
-- end.
{{ user_versions() }}
