-- Grain: version of a user. What dim_users holds, computed from scratch.
-- Input: stg_lake__users_changes. Excluded: changes that leave every column here as it was.
-- Intervals: half-open; see macros/versions.sql for what the first and the last one are.
{{ user_versions() }}
