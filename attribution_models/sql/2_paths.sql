-- Journeys counted by path: what the view dbt/models/intermediate/int_journeys_counted_by_path.yml
-- says.
select
    path,
    journey_count,
    conversion_count
from staging.int_journeys_counted_by_path
