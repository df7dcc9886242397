{#-
Builds the versions of rows from their changes. A change that alters the row opens a version; the
next such change closes it. Intervals are half-open, [valid_from, valid_to), so each key has at most
one valid version at any moment:

    on fact.user_id = dim_users.user_id
    and fact.happened_at >= dim_users.valid_from and fact.happened_at < dim_users.valid_to

- A delete closes the version of a row and opens none. A row that comes back has a gap before it.
- The first version of a key is valid from 2000 on, the earliest event time that the contract
  accepts. If it comes from a snapshot, we do not know what the row was before. If it comes from an
  insert, an earlier event that names the row only overtook the commit of that insert. In both cases
  the first version is the one that the event means.
- Version numbers follow the order of changes, and a number never changes its meaning.
- Commit times have millisecond precision. A version that was overwritten within its millisecond is
  empty (valid_from = valid_to) and never valid.
- If the database's clock goes back, a version still opens no earlier than its predecessor.

changes: a model of changes (stg_lake__*_changes). key: the key of a row. attributes: the columns
whose change opens a version. since: an SQL literal; returns only keys with a change that arrived
after it, each with all its versions. Without it: all keys.
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

{#- Versions of users and of products. int_*_versioned computes all of them; dim_* stores them. -#}
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
Events about a product, with the time at which the product became known. That may be after the
events, because the first version of a product is valid for them too. An input of
`touched_hours`.
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
A column of the version that was valid at a time; 'unknown' if there was none. A subquery has two
advantages over an outer join. Trino drops it if a query does not read the column. And if two
versions were valid at once, the query would fail instead of returning rows twice.

dimension: a model of versions. column: a text column of it. of: the fact's column that holds the
dimension's key. at: the fact's column of the time.
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
