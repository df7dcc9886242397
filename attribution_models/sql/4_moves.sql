-- Grain: the source of a click and that of the journey's next click; null before the first click and
-- after the last one. dbt/models/intermediate/int_journeys_counted_by_path.yml explains journeys.
-- The parameter is an array of sources. The others count as one, named ' other '. A label has no
-- white space at its ends, so no sender can use this name. This bounds the time and memory of
-- learning, because anybody can invent a source.
with

kept as (
    select source from unnest(?) as given (source)
),

moves as (
    select
        move.source,
        move.next_source,
        journeys.journey_count,
        if(move.next_source is null, journeys.conversion_count, 0) as conversion_count
    from staging.learning_journeys as journeys
    cross join
        unnest(
            array[cast(null as varchar)] || journeys.path,
            journeys.path || array[cast(null as varchar)]
        ) as move (source, next_source)
),

named as (
    select
        if(moves.source is not null, coalesce(kept.source, ' other ')) as source,
        if(moves.next_source is not null, coalesce(next_kept.source, ' other ')) as next_source,
        moves.journey_count,
        moves.conversion_count
    from moves
    left join kept on moves.source = kept.source
    left join kept as next_kept on moves.next_source = next_kept.source
)

select
    source,
    next_source,
    sum(journey_count) as journey_count,
    sum(conversion_count) as conversion_count
from named
group by source, next_source
