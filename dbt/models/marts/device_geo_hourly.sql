-- Grain: hour, device and cell of one degree. All valid events except logouts.
-- Late events restate the hour in which they happened.
-- Input: int_devices_located_by_hour (the same rows, computed from scratch).
-- Incremental: a build recomputes the hours that received a row since the last build, and
-- merges the rows that differ. A build without news writes nothing.
{{ config(unique_key=['event_hour', 'device', 'latitude_cell', 'longitude_cell']) }}

{{
    hours_with_news(
        ref('int_devices_located_by_hour'),
        [
            {'relation': ref('stg_lake__events'), 'hour': 'event_hour', 'seen': 'ingested_at'},
        ],
    )
}}
