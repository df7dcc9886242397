-- Grain: version of a user, which holds in [valid_from, valid_to); of each user at most one
-- holds at any moment.
-- Input: stg_lake__users_changes; int_users_versioned has the same rows, computed from scratch.
-- Incremental: of users that changed since the last build, new versions, and the one that
-- each of them closes, are merged; a build without news writes nothing.
{{ config(unique_key=['user_id', 'version_number']) }}

with

versions as (
    {{ user_versions(seen_before()) | indent(4) }}
)

{{ only_changed('versions') }}
