-- Grain: hour of checkout, payment method, failure reason. Late checkouts restate their hour.
-- Input: int_payment_failures_counted_by_hour (the same rows, computed from scratch).
-- Incremental: every hour from the first one that received a row since the last build is
-- computed again and merged where it differs; a build without news writes nothing.
{{ config(unique_key=['event_hour', 'payment_method', 'failure_reason']) }}

{{
    hours_with_news(
        ref('int_payment_failures_counted_by_hour'),
        [
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
        ],
    )
}}
