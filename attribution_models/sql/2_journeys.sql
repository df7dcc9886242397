-- Grain: path; a path may have several rows. Journeys of the users in the slices between two numbers
-- from 0 to 255, both included. dbt/models/intermediate/int_journeys_counted_by_path.yml explains
-- journeys.
select path, journey_count, conversion_count
from staging.int_journeys_counted_by_path
where user_slice between ? and ?
