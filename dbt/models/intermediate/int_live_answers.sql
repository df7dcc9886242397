-- Grain: one on-time line of a checkout of the last day (var live_hours), as its latest
-- attempt to pay within the lookback left it.
-- Input: stg_lake__attributed_checkouts. Excluded: late checkouts; attempts that another
-- on-time one followed within the lookback. Of two attempts, the one that the stream
-- answered last names the other (other_attempt_at), so few rows need a look at others.
-- A view: as fresh as the last commit of the stream. A predicate on checked_out_at prunes
-- files.
with

answers as (
    select * from {{ ref('stg_lake__attributed_checkouts') }}
    -- Answers follow their checkouts. So this excludes no row, but it prunes partitions.
    where
        attributed_at
        >= current_timestamp - interval '{{ var("live_hours") }}' hour - interval '1' hour
),

replaced as (
    select
        user_id,
        checkout_id,
        product_id,
        other_attempt_at as checked_out_at
    from answers
    where other_attempt_at is not null and other_attempt_at < checked_out_at
)

select
    answers.checkout_id,
    answers.user_id,
    answers.product_id,
    answers.quantity,
    answers.total_usd,
    answers.profit_usd,
    answers.payment_method,
    answers.payment_status,
    answers.failure_reason,
    answers.is_paid,
    answers.checked_out_at,
    answers.event_hour,
    answers.touchpoints,
    answers.touchpoint_count,
    answers.click_id,
    answers.source,
    answers.campaign,
    answers.clicked_at,
    answers.is_attributed,
    answers.is_truncated,
    answers.other_attempt_at,
    answers.attributed_at
from answers
left join replaced
    on
        answers.user_id = replaced.user_id
        and answers.checkout_id = replaced.checkout_id
        and answers.product_id = replaced.product_id
        and answers.checked_out_at = replaced.checked_out_at
where
    answers.checked_out_at >= current_timestamp - interval '{{ var("live_hours") }}' hour
    and replaced.user_id is null
    and (answers.other_attempt_at is null or answers.other_attempt_at < answers.checked_out_at)
