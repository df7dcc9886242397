-- Grain: hour, device, cell of one degree. All valid events but logouts; late ones restate
-- their hour.
-- Input: int_devices_located_by_hour (the same rows, computed from scratch).
-- Incremental: every hour from the first one that received a row since the last build is
-- computed again and merged where it differs; a build without news writes nothing.
{{ config(unique_key=['event_hour', 'device', 'latitude_cell', 'longitude_cell']) }}

{{
    hours_with_news(
        ref('int_devices_located_by_hour'),
        [
            {'relation': ref('stg_lake__events'), 'hour': 'event_hour', 'seen': 'ingested_at'},
        ],
    )
}}
