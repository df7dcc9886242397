{#-
How the hourly marts stay exact although they are incremental:

1. `touched_hours` finds the hours that received a row since the last build, late rows and replayed
   history included.
2. The build computes these hours again, completely, and no others.
3. `only_restated` keeps the rows that differ from the mart, including rows that no longer exist. So
   a build without news writes nothing: no snapshot, no file.

`hours_with_news` does all three. It is the body of every hourly mart.

view: the rows of the mart, computed from scratch. inputs: see `touched_hours`.
-#}
{% macro hours_with_news(view, inputs) -%}
{%- for hours in slices(touched_hours(inputs, most=var("computed_ranges"))) %}
{{ hours_mark(hours) }}
with

-- One query for each range: Trino would not skip files by a predicate with two ranges, because
-- event_hour is computed from a column.
hours as (
    {%- if not hours %}
    select * from {{ view }}
    where {{ within(hours, 'event_hour') }}
    {%- endif %}
    {%- for range in hours %}
    select * from {{ view }}
    where {{ within([range], 'event_hour') }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

{{ only_restated('hours', where=within(hours, 'event_hour')) }}
{%- endfor %}
{%- endmacro %}

{#- All of history, as one range of hours. -#}
{% macro all_hours() -%}
    {{ return([["0001-01-01 00:00:00.000000 UTC", "9999-12-31 00:00:00.000000 UTC"]]) }}
{%- endmacro %}

{#-
Splits ranges of hours into slices, so that one statement reads about var slice_rows messages, or
those of one hour if there are more. Nearly every build has one slice. slices.sql runs the statements.
-#}
{% macro slices(hours) -%}
    {#- ref() before any return, as in touched_hours. -#}
    {%- set messages = [ref('stg_lake__events'), ref('stg_lake__checkouts')] -%}
    {%- if not execute or is_short(hours) -%}
        {{ return([hours]) }}
    {%- endif -%}
    {%- set query -%}
        with hourly as (
            select event_hour, count(*) as row_count
            from (
                {%- for relation in messages %}
                select event_hour from {{ relation }} where {{ within(hours, 'event_hour') }}
                {{ 'union all' if not loop.last }}
                {%- endfor %}
            )
            group by event_hour
        ),

        numbered as (
            select
                event_hour,
                (sum(row_count) over (order by event_hour) - row_count) / {{ var("slice_rows") }} as slice_number
            from hourly
        )

        select cast(min(event_hour) as varchar)
        from numbered
        group by slice_number
        order by 1
    {%- endset -%}
    {%- set borders = run_query(query).columns[0].values()[1:] | list -%}
    {%- set first, end = all_hours()[0] -%}
    {%- set found = [] -%}
    {%- for border in [first] + borders -%}
        {%- set next_border = borders[loop.index0] if not loop.last else end -%}
        {%- set slice = [] -%}
        {%- for range_first, range_end in hours if range_first < next_border and range_end > border -%}
            {%- do slice.append([[range_first, border] | max, [range_end, next_border] | min]) -%}
        {%- endfor -%}
        {%- if slice -%}
            {%- do found.append(slice) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found or [hours]) }}
{%- endmacro %}

{#- Whether the ranges have so few hours that counting their messages is not worth a query. -#}
{% macro is_short(hours) -%}
    {%- set total = namespace(seconds=0) -%}
    {%- set parse = modules.datetime.datetime.fromisoformat -%}
    {%- for first, end in hours -%}
        {%- set total.seconds = total.seconds + (parse(end[:19]) - parse(first[:19])).total_seconds() -%}
    {%- endfor -%}
    {{ return(total.seconds <= 6 * 3600) }}
{%- endmacro %}

{#-
The hours that a build must compute again, as ranges [first, end) of SQL literals; all hours on a
first build.

Returns at most `most` ranges. If there are more, the ones that are closest to each other become one,
which includes hours that nothing touched. Each range adds to the statement, and a statement of 1 MB
ended Trino.

inputs: a list of {relation, hour, seen, until}. Each row that was seen since the last build touches
the hours from `hour` to before `until`.
  relation: a model or a subquery, without deduplication, so that a predicate on `seen` prunes files
  hour: its column of the hour
  seen: its column of the time at which a row arrived
  until: an expression for the end; by default, the row touches its own hour only
The input `messages_of_checkouts` stands for the new messages and answers of checkouts. Such a row
touches its own hour and those of the lookback before it: a new attempt to pay replaces the one before it.
-#}
{% macro touched_hours(inputs, most) -%}
    {#- ref() before any return: dbt must see all dependencies even on a first build. -#}
    {%- set checkouts = ref('stg_lake__checkouts') -%}
    {%- set answers = ref('stg_lake__attributed_checkouts') -%}
    {%- set since = seen_before() -%}
    {%- if since is none -%}
        {{ return(all_hours()) }}
    {%- endif -%}
    {%- set query -%}
        with touched (first_hour, end_hour) as (
            {%- for input in inputs %}
            {%- if input == 'messages_of_checkouts' %}
            select
                date_trunc('hour', checked_out_at - interval '{{ env_var("LOOKBACK_SECONDS") }}' second),
                event_hour + interval '1' hour
            from (
                select checked_out_at, event_hour from {{ checkouts }}
                where ingested_at > {{ since }}
                union all
                select checked_out_at, event_hour from {{ answers }}
                where attributed_at > {{ since }}
            )
            {%- else %}
            select {{ input.hour }}, {{ input.until | default(input.hour ~ " + interval '1' hour") }}
            from {{ input.relation }}
            where {{ input.seen }} > {{ since }}
            {%- endif %}
            {%- if not loop.last %}
            union
            {%- endif %}
            {%- endfor %}
        ),

        ordered as (
            select
                *,
                date_diff(
                    'hour',
                    max(end_hour) over (
                        order by first_hour
                        rows between unbounded preceding and 1 preceding
                    ),
                    first_hour
                ) as hours_since_others
            from touched
        ),

        ranked as (
            select
                *,
                row_number() over (order by hours_since_others desc nulls last) as gap_number
            from ordered
        ),

        numbered as (
            select
                *,
                count_if(hours_since_others > 0 and gap_number < {{ most }})
                    over (order by first_hour) as range_number
            from ranked
        )

        select
            cast(cast(min(first_hour) as timestamp(6) with time zone) as varchar),
            cast(cast(max(end_hour) as timestamp(6) with time zone) as varchar)
        from numbered
        group by range_number
        order by 1
    {%- endset -%}
    {{ return(run_query(query).rows | map('list') | list) }}
{%- endmacro %}

{#- Predicate: `time` lies in one of the hours, extended by so many seconds before and after. -#}
{% macro within(hours, time, before_seconds=0, after_seconds=0) -%}
    {%- if hours is none -%}
        true
    {%- else -%}
        (
            false
            {%- for first, end in hours %}
            or (
                {{ time }} >= timestamp '{{ first }}' - interval '{{ before_seconds }}' second
                and {{ time }} < timestamp '{{ end }}' + interval '{{ after_seconds }}' second
            )
            {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{#-
The time before which the last build has seen every row that arrived, as SQL. It may also have seen
some later rows (restatement_overlap). Returns none on a first build or if the mart is empty.
-#}
{% macro seen_before() -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set since = complete_up_to(this) -%}
    {{ return("(timestamp '" ~ since ~ "' - " ~ restatement_overlap() ~ ")" if since else none) }}
{%- endmacro %}

{#-
An hourly mart restates every hour that received a row after (the newest row it has seen minus this
interval). Rows become visible one checkpoint after they are stamped, or later if the checkpoint is slow
or the job restarts. So the interval is a multiple of the checkpoint interval
(configuration/environment.py). The var restatement_overlap_seconds overrides it.
-#}
{% macro restatement_overlap() -%}
    {%- set seconds = var('restatement_overlap_seconds', env_var('RESTATEMENT_OVERLAP_SECONDS')) -%}
    {{ return("interval '" ~ seconds ~ "' second") }}
{%- endmacro %}

{#-
Rows of `relation` that the mart does not hold in the same form; all rows on a first build.

Compares by position. That is safe because a model's columns follow the order of its contract, and a
changed schema needs a full refresh (`on_schema_change: fail`).
-#}
{% macro only_changed(relation) -%}
select * from {{ relation }}
    {%- if is_incremental() %}
except
select * from {{ this }}
    {%- endif %}
{%- endmacro %}

{#-
Rows of `relation` that the mart does not hold in the same form, plus the keys of rows that only the
mart holds. Such a row has nothing but its key, which tells the merge to delete it (merge.sql). All
rows on a first build.

A row disappears when everything it counted moves to another row: from `unknown` to a category that
the shop's tables gave later, or from `unattributed` to the source of a late click.

where: a predicate. Only the mart's rows that fulfil it are compared.
-#}
{% macro only_restated(relation, where) -%}
    {%- if not is_incremental() -%}
select * from {{ relation }}
    {%- else -%}
        {%- set key = config.get("unique_key") -%}
        {%- set columns = model.columns.keys() | list -%}
select
        {%- for column in columns %}
    {{ "coalesce(news." ~ column ~ ", mart." ~ column ~ ") as " ~ column if column in key else "news." ~ column }}
        {{- "," if not loop.last }}
        {%- endfor %}
from {{ relation }} as news
full outer join (select * from {{ this }} where {{ where }}) as mart
    on
        {%- for column in key %}
        {{ "and " if not loop.first }}news.{{ column }} = mart.{{ column }}
        {%- endfor %}
where
    row(news.{{ columns | join(", news.") }})
    is distinct from row(mart.{{ columns | join(", mart.") }})
    {%- endif %}
{%- endmacro %}
