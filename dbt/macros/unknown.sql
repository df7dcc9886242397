{#- Predicate: the user is none of `attribution.unknown_user_ids`, whom strangers share. -#}
{% macro is_known_user(user_id) -%}
    {%- set unknown = env_var('UNKNOWN_USER_IDS') -%}
    {{ user_id ~ ' not in (' ~ unknown ~ ')' if unknown else 'true' }}
{%- endmacro %}

{#-
Predicate: the event_id, checkout_id or session_id is none of `attribution.unknown_ids`. An event
with one of those is joined with no other.
-#}
{% macro is_known_id(id) -%}
    {{- id }} not in ({{ env_var('UNKNOWN_IDS') }})
{%- endmacro %}
