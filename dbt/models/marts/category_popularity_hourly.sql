-- Grain: hour and category. All valid events and checkouts.
-- Late ones restate the hour in which they happened.
-- Input: int_categories_compared_by_hour (the same rows, computed from scratch).
-- Incremental: a build recomputes the hours that received a row since the last build, and
-- merges the rows that differ. A build without news writes nothing.
{{ config(unique_key=['event_hour', 'category']) }}

{{
    hours_with_news(
        ref('int_categories_compared_by_hour'),
        [
            {'relation': ref('stg_lake__events'), 'hour': 'event_hour', 'seen': 'ingested_at'},
            'messages_of_checkouts',
            {'relation': ref('attributed_checkouts'), 'hour': 'event_hour', 'seen': 'latest_ingested_at'},
            {'relation': events_of_new_products(), 'hour': 'event_hour', 'seen': 'known_at'},
            changes_until_now(ref('stg_lake__products_changes')),
        ],
    )
}}
