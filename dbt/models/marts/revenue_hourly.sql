-- Grain: hour of checkout. All valid checkouts.
-- Late checkouts restate the hour in which they happened.
-- Input: int_checkouts_summed_by_hour (the same rows, computed from scratch).
-- Incremental: a build recomputes the hours that received a row since the last build, and
-- merges the rows that differ. A build without news writes nothing.
{{ config(unique_key=['event_hour']) }}

{{
    hours_with_news(
        ref('int_checkouts_summed_by_hour'),
        [
            'messages_of_checkouts',
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
        ],
    )
}}
