-- Grain: hour, source and attribution model. All clicks and checkouts.
-- Late ones restate the hour in which they happened.
-- Input: int_sources_compared_by_hour (the same rows, computed from scratch).
-- Incremental: a build recomputes the hours that received a row since the last build or that
-- a new learning run credits, and merges the rows that differ. A build without news writes
-- nothing.
{{ config(unique_key=['event_hour', 'source', 'model']) }}

{{
    hours_with_news(
        ref('int_sources_compared_by_hour'),
        [
            {'relation': ref('stg_lake__clicks'), 'hour': 'event_hour', 'seen': 'ingested_at'},
            'messages_of_checkouts',
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
            {
                'relation': ref('stg_lake__source_credits'),
                'hour': 'applies_from',
                'until': "timestamp '9999-12-31 00:00:00 UTC'",
                'seen': 'computed_at',
            },
        ],
    )
}}
