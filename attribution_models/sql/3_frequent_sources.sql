-- Grain: source. The 50 sources with the most journeys, of those whose hash is between two numbers
-- from 0 to 255, both included. Anybody can invent a source, so learning reads them slice by slice.
select
    present.source,
    sum(journeys.journey_count) as journey_count
from staging.learning_journeys as journeys
cross join unnest(array_distinct(journeys.path)) as present (source)
where bitwise_and(from_big_endian_64(xxhash64(to_utf8(present.source))), 255) between ? and ?
group by present.source
order by journey_count desc, present.source
limit 50
