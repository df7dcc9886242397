-- Grain: learning run and day on which its weights apply, from applies_from to
-- applies_until (exclusive). Each learnt model (var learnt_models) has a column of
-- weights.
-- Input: stg_lake__source_credits. Excluded: days before a run was computed. The very
-- first run (is_first) applies to those too.
-- The day lets a join find the run by equality. A join on the range alone would compare
-- every checkout with every run.
with

runs as (
    select
        run_id,
        computed_at,
        applies_from,
        map_agg(source, weight) filter (where model = 'markov') as markov_weights,
        map_agg(source, weight) filter (where model = 'shapley') as shapley_weights
    from {{ ref('stg_lake__source_credits') }}
    group by run_id, computed_at, applies_from
),

intervals as (
    select
        *,
        lag(computed_at) over (order by computed_at) is null as is_first,
        lead(applies_from, 1, timestamp '9999-12-31 00:00:00 UTC') over (
            order by computed_at
        ) as applies_until
    from runs
)

select
    days.weight_day,
    intervals.run_id,
    intervals.computed_at,
    intervals.applies_from,
    intervals.applies_until,
    intervals.is_first,
    intervals.markov_weights,
    intervals.shapley_weights
from intervals
cross join
    unnest(
        sequence(
            date(intervals.computed_at),
            date(least(intervals.applies_until, current_timestamp + interval '1' day)),
            interval '1' day
        )
    ) as days (weight_day)
