{#-
Builds of much history, in bounded memory. If a model has to compute more than its share
(`slices`), its SQL has one statement for each slice of time. This file runs them one by one.

- A full refresh, or a large first build, fills a table beside the mart, `staging.<mart>__rebuilt`,
  slice by slice. Then one commit replaces the mart's rows. Until then readers see the old ones. If
  the build is interrupted, the next full refresh goes on after the last complete slice, unless the
  dbt project or a setting changed.
- Any other build merges slice by slice, the newest first.

Meanwhile, rows arrive for slices that are done. So the table has a note of the time up to which it
has all arrivals (`complete_up_to`), where the next build begins (`seen_before`). The note is the
table's comment, because one commit can write a comment and rows.
-#}

{#-
Overrides dbt-trino's materialization. It still does all builds of one statement, except for a full
refresh: there it replaces a table by two renames, and between them there is no table.
-#}
{% materialization incremental, adapter='trino', supported_languages=['sql'] -%}
    {%- set slices = slices_in(compiled_code) -%}
    {%- if slices | length == 1 and (is_incremental() or load_cached_relation(this) is none) -%}
        {%- set built = dbt.materialization_incremental_trino() -%}
        {%- do forget_note(this) -%}
        {{ return(built) }}
    {%- elif is_incremental() -%}
        {%- do merge_slices(slices) -%}
    {%- else -%}
        {%- do rebuild_in_slices(slices) -%}
    {%- endif -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{%- endmaterialization %}

{#- The line before each statement of an hourly mart: the hours that it computes. -#}
{% macro hours_mark(hours) -%}
-- Hours: {{ tojson(hours) }}
{%- endmacro %}

{#-
The statements of a model's SQL, in order of time: a list of {hours, first_hour, sql}. A model that is
not hourly has one statement and no hours.
-#}
{% macro slices_in(sql) -%}
    {%- set found = [] -%}
    {%- set parts = modules.re.split("(?m)^-- Hours: (.+)$", sql) -%}
    {%- for number in range(1, parts | length, 2) -%}
        {%- set hours = fromjson(parts[number]) -%}
        {%- set first_hour = (hours or all_hours())[0][0] -%}
        {%- do found.append({"hours": hours, "first_hour": first_hour, "sql": parts[number + 1]}) -%}
    {%- endfor -%}
    {{ return(found or [{"hours": none, "first_hour": all_hours()[0][0], "sql": sql}]) }}
{%- endmacro %}

{#-
Merges each slice in a commit of its own. The newest comes first, so that a slice that fails keeps
none of the newer hours from being built.
-#}
{% macro merge_slices(slices) -%}
    {%- set since = complete_up_to(this) or "1970-01-01 00:00:00 UTC" -%}
    {%- do write_note(this, {"complete_up_to": since}) -%}
    {%- set source = make_temp_relation(this).incorporate(type='view') -%}
    {%- set merge = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy')) -%}
    {%- set began = modules.datetime.datetime.now() -%}
    {%- for slice in slices | reverse -%}
        {%- do run_query(create_view_as(source, slice.sql)) -%}
        {%- if loop.first -%}
            {%- do process_schema_changes(config.get('on_schema_change'), source, this) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            {{ merge({
                'target_relation': this,
                'temp_relation': source,
                'unique_key': config.get('unique_key'),
                'dest_columns': adapter.get_columns_in_relation(this),
                'incremental_predicates': merged_hours(slice),
            }) }}
        {%- endcall -%}
        {%- do log_progress(slice, loop.index, slices | length, loop.index, began) -%}
    {%- endfor -%}
    {%- do adapter.drop_relation(source) -%}
    {%- do forget_note(this) -%}
{%- endmacro %}

{#- Fills the table beside the mart, then replaces the mart's rows. -#}
{% macro rebuild_in_slices(slices) -%}
    {%- set rebuilt = api.Relation.create(
        database=this.database, schema='staging', identifier=this.identifier ~ '__rebuilt', type='table'
    ) -%}
    {%- set note = note_of(rebuilt) -%}
    {%- set start = namespace(slice=0) -%}
    {%- if note.made_from == made_from() and note.next_hour -%}
        {%- for slice in slices if slice.first_hour <= note.next_hour -%}
            {%- set start.slice = loop.index0 -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if start.slice > 0 -%}
        {%- do stop_inserts(rebuilt) -%}
        {#- The slices may have other borders now, so this one may be there in part. -#}
        {%- set from_then_on = "event_hour >= timestamp '" ~ slices[start.slice].first_hour ~ "'" -%}
        {%- do run_query("delete from " ~ rebuilt ~ " where " ~ from_then_on) -%}
    {%- else -%}
        {%- set now = "select cast(current_timestamp(6) at time zone 'UTC' as varchar)" -%}
        {%- set note = {"complete_up_to": run_query(now).rows[0][0], "made_from": made_from()} -%}
        {%- do create_rebuilt(rebuilt, slices[0].sql, note) -%}
    {%- endif -%}
    {%- set began = modules.datetime.datetime.now() -%}
    {%- for slice in slices[start.slice:] -%}
        {%- set number = start.slice + loop.index -%}
        {%- do run_query("insert into " ~ rebuilt ~ " " ~ get_select_subquery(slice.sql)) -%}
        {%- if not loop.last -%}
            {%- do write_note(rebuilt, dict(note, next_hour=slices[number].first_hour)) -%}
            {%- do log_progress(slice, number, slices | length, loop.index, began) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- call statement('main') -%}
        create or replace table {{ this }}
        comment '{{ tojson({"complete_up_to": note.complete_up_to}) }}'
        {{ properties() }}
        as select * from {{ rebuilt }}
    {%- endcall -%}
    {%- do adapter.drop_relation(rebuilt) -%}
{%- endmacro %}

{#- The empty table beside the mart, in place of one that an older build left. -#}
{% macro create_rebuilt(rebuilt, sql, note) -%}
    {%- do run_query("drop table if exists " ~ rebuilt) -%}
    {%- set create -%}
        create table {{ rebuilt }}
        {{ get_table_columns_and_constraints() }}
        {{ get_assert_columns_equivalent(sql) }}
        comment '{{ tojson(note) }}'
        {{ properties() }}
    {%- endset -%}
    {%- do run_query(create) -%}
{%- endmacro %}

{#- Trino goes on with a statement whose dbt was killed. It must not add its rows after the delete. -#}
{% macro stop_inserts(table) -%}
    {%- set query -%}
        select query_id from system.runtime.queries
        where state not in ('FINISHED', 'FAILED') and query like '%insert into {{ table }} %'
            and query not like '%system.runtime.queries%'
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {%- do run_query("call system.runtime.kill_query('" ~ row[0] ~ "', 'its dbt is gone')") -%}
    {%- endfor -%}
{%- endmacro %}

{#-
A text that changes with whatever a mart's rows depend on, besides the data.
-#}
{% macro made_from() -%}
    {{ return(env_var('MARTS_MADE_FROM', '')) }}
{%- endmacro %}

{#-
The time up to which a mart has all rows that arrived, as text; none if the mart is empty. It may
also have later ones.
-#}
{% macro complete_up_to(mart) -%}
    {%- set query -%}
        select cast(max(latest_ingested_at) as varchar), {{ comment_on(mart) }}
        from {{ mart }}
    {%- endset -%}
    {%- set newest, note = run_query(query).rows[0] -%}
    {{ return(fromjson(note or '{}', {}).complete_up_to or newest) }}
{%- endmacro %}

{#- The note on a table; empty if it has none, has a person's comment, or does not exist. -#}
{% macro note_of(table) -%}
    {%- set comment = run_query("select " ~ comment_on(table)).rows[0][0] -%}
    {{ return(fromjson(comment or '{}', {})) }}
{%- endmacro %}

{% macro comment_on(table) -%}
    (
        select "comment" from system.metadata.table_comments
        where
            catalog_name = '{{ table.database }}'
            and schema_name = '{{ table.schema }}'
            and table_name = '{{ table.identifier }}'
    )
{%- endmacro %}

{% macro write_note(table, note) -%}
    {%- do run_query("comment on table " ~ table ~ " is '" ~ tojson(note) ~ "'") -%}
{%- endmacro %}

{% macro forget_note(table) -%}
    {%- if note_of(table) -%}
        {%- do run_query("comment on table " ~ table ~ " is null") -%}
    {%- endif -%}
{%- endmacro %}

{#-
Shows which slice is done, and about how long the others will take. `number` counts all slices, `done`
those since this run `began`.
-#}
{% macro log_progress(slice, number, total, done, began) -%}
    {%- set passed = (modules.datetime.datetime.now() - began).total_seconds() -%}
    {%- set left = (passed / done * (total - number)) | round | int -%}
    {%- set name = this.schema ~ "." ~ this.identifier -%}
    {%- do log(
        name ~ ": slice " ~ number ~ " of " ~ total ~ ", from " ~ slice.first_hour
        ~ " on, is done; about " ~ left ~ " s left",
        info=true
    ) -%}
{%- endmacro %}
