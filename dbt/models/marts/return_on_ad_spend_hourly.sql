-- Grain: hour, source, campaign and attribution model. Spend of the hour; paid checkouts of
-- the hour, late ones too.
-- Input: int_ad_returns_by_hour (the same rows, computed from scratch).
-- Incremental: every hour from the first one that received a row since the last build, or
-- that a new run of the learning credits, is computed again and merged where it differs; a
-- build without news writes nothing.
{{ config(unique_key=['event_hour', 'source', 'campaign', 'model']) }}

{{
    hours_with_news(
        ref('int_ad_returns_by_hour'),
        [
            {'relation': ref('stg_lake__ad_spend_changes'), 'hour': 'spend_hour', 'seen': 'ingested_at'},
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
            {
                'relation': ref('stg_lake__source_credits'),
                'hour': 'applies_from',
                'seen': 'computed_at',
            },
        ],
    )
}}
