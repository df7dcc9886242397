-- Grain: hour. All valid events and checkouts; late ones restate their hour.
-- Input: int_sessions_funnelled_by_hour (the same rows, computed from scratch).
-- Incremental: every hour from the first one that received a row since the last build is
-- computed again and merged where it differs; a build without news writes nothing.
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
