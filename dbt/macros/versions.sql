{#-
Versions of rows, made of their changes: a change that leaves the row other than it was opens one,
the next such change closes it. Intervals are half-open, [valid_from, valid_to), so that of each key
at most one version holds at any moment:

    on fact.user_id = dim_users.user_id
    and fact.happened_at >= dim_users.valid_from and fact.happened_at < dim_users.valid_to

- A delete closes the row's version and opens none; a row that comes back has a gap before it.
- The first version of a key holds from 2000 on, the earliest event time that the contract admits:
  what a row was before we saw it first is not known (a snapshot), or it was not there, and an event
  that names it beforehand was only quicker than the database's commit. Either way the first version
  is what that event speaks of.
- Versions are numbered in the order of changes, and a number never changes its meaning. One that
  was overwritten within the millisecond to which commits are told is empty (valid_from = valid_to)
  and never holds. Where the database's clock is set back, a version opens no sooner than the one
  that it follows.

changes: a model of changes (stg_lake__*_changes). key: the row's key. attributes: columns whose
change makes a version. since: an SQL literal; only keys of which something came in after it, each
with all its versions. All keys without it.
-#}
{% macro versions_of(changes, key, attributes, since=none) -%}
{%- set described = attributes | join(", ") -%}
with

changes as (
    select
        *,
        max(changed_at) over (
            partition by {{ key }}
            order by source_lsn, kafka_offset
        ) as opened_at,
        row({{ described }}, is_deleted) is distinct from lag(row({{ described }}, is_deleted)) over (
            partition by {{ key }}
            order by source_lsn, kafka_offset
        ) as is_news
    from {{ changes }}
    {%- if since is not none %}
    where {{ key }} in (select {{ key }} from {{ changes }} where ingested_at > {{ since }})
    {%- endif %}
),

versions as (
    select
        *,
        row_number() over (
            partition by {{ key }}
            order by source_lsn, kafka_offset
        ) as version_number,
        lead(opened_at) over (
            partition by {{ key }}
            order by source_lsn, kafka_offset
        ) as closed_at,
        lead(ingested_at) over (
            partition by {{ key }}
            order by source_lsn, kafka_offset
        ) as close_ingested_at
    from changes
    where is_news
)

select
    {{ key }},
    version_number,
    {{ described }},
    if(version_number = 1, timestamp '2000-01-01 00:00:00 UTC', opened_at) as valid_from,
    coalesce(closed_at, timestamp '9999-12-31 00:00:00 UTC') as valid_to,
    closed_at is null as is_current,
    ingested_at as known_at,
    coalesce(close_ingested_at, ingested_at) as latest_ingested_at
from versions
where not is_deleted
{%- endmacro %}

{#- Versions of users; of products. int_*_versioned are all of them, dim_* keep them. -#}
{% macro user_versions(since=none) -%}
    {{
        versions_of(
            ref('stg_lake__users_changes'),
            'user_id',
            ['user_name', 'gender', 'birth_date', 'country', 'signed_up_at'],
            since,
        )
    }}
{%- endmacro %}

{% macro product_versions(since=none) -%}
    {{
        versions_of(
            ref('stg_lake__products_changes'),
            'product_id',
            ['product_name', 'category', 'unit_price_usd', 'unit_cost_usd'],
            since,
        )
    }}
{%- endmacro %}

{#-
Events on a product, and when it became known, which may be after them: its first version holds for
them too. An input of `first_hour_to_restate`.
-#}
{% macro events_of_new_products() -%}
(
    select
        events.event_hour,
        products.known_at
    from {{ ref('stg_lake__events') }} as events
    inner join {{ ref('dim_products') }} as products
        on events.product_id = products.product_id
    where products.version_number = 1
)
{%- endmacro %}

{#-
A column of the version that held then; 'unknown' where none did. A query that does not read it does
not pay for it either: Trino drops a subquery that nobody reads, and no outer join. Two versions that
hold at once would fail the query, where a join doubled its rows.

dimension: a model of versions. column: text. of: the fact's column that names the dimension's key.
at: when.
-#}
{% macro as_of(dimension, column, of, at) -%}
coalesce(
        (
            select version.{{ column }}
            from {{ dimension }} as version
            where
                version.{{ of.split(".")[-1] }} = {{ of }}
                and version.valid_from <= {{ at }}
                and version.valid_to > {{ at }}
        ),
        'unknown'
    )
{%- endmacro %}
