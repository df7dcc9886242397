{#-
In every model the credit of a line of a checkout is exactly 1, and its money is shared to the cent.
The test runs in slices of `time` (macros/tested_rows.sql).
-#}
{% test credited_whole(model, time) %}
{%- call(hours) sliced(time) %}
select
    user_id,
    checkout_id,
    product_id,
    checked_out_at,
    model,
    sum(credit) as credit,
    total_usd - sum(credited_total_usd) as lost_total_usd,
    profit_usd - sum(credited_profit_usd) as lost_profit_usd
from {{ model }}
where {{ within(hours, time) }}
group by user_id, checkout_id, product_id, checked_out_at, model, total_usd, profit_usd
having
    sum(credit) <> 1
    or min(credit) < 0
    or total_usd <> sum(credited_total_usd)
    or profit_usd <> sum(credited_profit_usd)
{%- endcall %}
{% endtest %}
