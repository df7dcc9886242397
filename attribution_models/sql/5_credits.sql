-- Credits of paid checkouts between two hours, both included. Excludes rows with a credit of 0.
select
    model,
    checkout_id,
    click_id,
    source,
    credit
from staging.int_touchpoint_credits
where
    is_paid
    and credit > 0
    and event_hour between ? and ?
