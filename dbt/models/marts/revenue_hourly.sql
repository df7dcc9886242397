-- Grain: hour of checkout. All valid checkouts; late ones restate their hour.
-- Input: int_checkouts_summed_by_hour (the same rows, computed from scratch).
-- Incremental: every hour from the first one that received a row since the last build is
-- computed again and merged where it differs; a build without news writes nothing.
{{ config(unique_key=['event_hour']) }}

{{
    hours_with_news(
        ref('int_checkouts_summed_by_hour'),
        [
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
        ],
    )
}}
