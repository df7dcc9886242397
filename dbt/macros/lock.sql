{#-
Refuses to build without the lock on the marts: two builds at once would merge the same rows twice.
Whoever starts dbt takes the lock (infra/services/marts.py) and says so in MARTS_LOCK.
-#}
{% macro refuse_without_lock() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] and env_var('MARTS_LOCK', '') != 'held' -%}
        {{ exceptions.raise_compiler_error(
            'another build may run beside this one, and both would write the same rows. Use a dbt that'
            ~ ' waits for it: the one of `eval "$(make -s env ROLE=etl)"`, `make dbt ARGS="..."`, or'
            ~ ' `docker compose run --rm cli dbt ...`'
        ) }}
    {%- endif -%}
{%- endmacro %}
