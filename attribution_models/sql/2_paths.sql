-- Journeys counted by path; dbt/models/intermediate/int_journeys_counted_by_path.yml explains them.
select
    path,
    journey_count,
    conversion_count
from staging.int_journeys_counted_by_path
