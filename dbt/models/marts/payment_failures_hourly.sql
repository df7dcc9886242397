-- Grain: hour of checkout, payment method and failure reason. Failed payments only.
-- Late checkouts restate the hour in which they happened.
-- Input: int_payment_failures_counted_by_hour (the same rows, computed from scratch).
-- Incremental: a build recomputes the hours that received a row since the last build, and
-- merges the rows that differ. A build without news writes nothing.
{{ config(unique_key=['event_hour', 'payment_method', 'failure_reason']) }}

{{
    hours_with_news(
        ref('int_payment_failures_counted_by_hour'),
        [
            'messages_of_checkouts',
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
        ],
    )
}}
