{#- Predicate: the user is none of `attribution.unknown_user_ids`, whom strangers share. -#}
{% macro is_known(user_id) -%}
    {%- set unknown = env_var('UNKNOWN_USER_IDS') -%}
    {{ user_id ~ ' not in (' ~ unknown ~ ')' if unknown else 'true' }}
{%- endmacro %}
