-- Grain: hour. All valid events and checkouts.
-- Late ones restate the hour in which they happened.
-- Input: int_sessions_funnelled_by_hour (the same rows, computed from scratch).
-- Incremental: a build recomputes the hours that received a row since the last build, and
-- merges the rows that differ. A build without news writes nothing.
{{ config(unique_key=['event_hour']) }}

{{
    hours_with_news(
        ref('int_sessions_funnelled_by_hour'),
        [
            {'relation': ref('stg_lake__events'), 'hour': 'event_hour', 'seen': 'ingested_at'},
            {'relation': ref('stg_lake__checkouts'), 'hour': 'event_hour', 'seen': 'ingested_at'},
        ],
    )
}}
