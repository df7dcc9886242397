-- Grain: one version of a user, valid from valid_from to valid_to (exclusive). At any
-- moment at most one version of a user is valid.
-- Input: stg_lake__users_changes. int_users_versioned holds the same rows, computed from
-- scratch.
-- Incremental: for users that changed since the last build, a build merges the new
-- versions and the versions that they close. A build without news writes nothing.
{{
    config(
        unique_key=['user_id', 'version_number'],
        properties={'partitioning': "array['year(valid_from)']"},
    )
}}

with

versions as (
    {{ user_versions(seen_before()) | indent(4) }}
)

{{ only_changed('versions') }}
