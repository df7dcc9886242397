{#-
Attribution in SQL. Applies the stream's rules (flink_jobs/java/) to all data in the lake, late rows
included. The stream's answer stands unless a late row touches it. A checkout here is the attempt to
pay for a line that counts (latest_attempts). The macro attributes these checkouts again:

- Late checkouts, which the stream did not answer.
- On-time checkouts from before the stream answered each attempt (stg_lake__stream_rules).
- Checkouts of a user who had a late click within the lookback.
- Checkouts whose row says that the user had more clicks than the stream's state holds
  (is_truncated). The lake holds all of them, so this macro has no `max_clicks_per_user`.

A row depends only on raw.*, attribution.* and the dimensions, never on when a build saw them.
Therefore an incremental history equals a full refresh.

hours: ranges as returned by `touched_hours` (restatement.sql). The macro then computes only the
checkouts in them, from the files of these hours and of one lookback around them. Without it: all
checkouts.
-#}
{% macro attributed_checkouts(hours=none) -%}
{%- set lookback_seconds = env_var('LOOKBACK_SECONDS') | int -%}
{%- set lookback = "interval '" ~ lookback_seconds ~ "' second" -%}
{%- set most = env_var('MAX_TOUCHPOINTS') | int -%}
{%- set latest = most // 2 -%}
{%- set touchpoint -%}
row(
    click_id varchar,
    product_id bigint,
    source varchar,
    campaign varchar,
    clicked_at timestamp(6) with time zone
)
{%- endset -%}
{%- set answer -%}
row(
    touchpoints array({{ touchpoint }}),
    touchpoint_count integer,
    click_id varchar,
    source varchar,
    campaign varchar,
    clicked_at timestamp(6) with time zone
)
{%- endset -%}
with

{% if hours is none -%}
checkouts as (
    select * from {{ ref('int_checkouts_deduplicated') }}
),
{%- else -%}
messages as (
    select * from {{ ref('stg_lake__checkouts') }}
    where {{ within(hours, 'checked_out_at', after_seconds=lookback_seconds) }}
),

latest_attempts as (
    {{ latest_attempts('messages') | indent(4) }}
),

checkouts as (
    select * from latest_attempts
    where {{ within(hours, 'checked_out_at') }}
),
{%- endif %}

reported as (
    select
        checkout_id,
        user_id,
        product_id,
        checked_out_at,
        attributed_at,
        is_truncated,
        cast(row(
            transform(touchpoints, step -> cast(row(
                step.click_id,
                step.product_id,
                coalesce(step.source, 'unknown'),
                coalesce(step.campaign, 'unknown'),
                step.clicked_at
            ) as {{ touchpoint }})),
            touchpoint_count,
            click_id,
            source,
            campaign,
            clicked_at
        ) as {{ answer }}) as answer
    from {{ ref('stg_lake__attributed_checkouts') }}
    where {{ within(hours, 'checked_out_at') }}
),

-- On-time checkouts that the stream has not answered yet are left out until it has.
judged as (
    select
        checkouts.*,
        reported.answer as reported_answer,
        reported.checkout_id is not null as is_answered,
        coalesce(reported.is_truncated, false) as is_truncated,
        greatest(
            checkouts.ingested_at, coalesce(reported.attributed_at, checkouts.ingested_at)
        ) as judged_at
    from checkouts
    left join reported
        on
            checkouts.checkout_id = reported.checkout_id
            and checkouts.user_id = reported.user_id
            and checkouts.product_id = reported.product_id
            and checkouts.checked_out_at = reported.checked_out_at
    where
        checkouts.is_late
        or reported.checkout_id is not null
        or checkouts.ingested_at < (
            select answers_each_attempt_since from {{ ref('stg_lake__stream_rules') }}
        )
),

clicks as (
    select * from {{ ref('stg_lake__clicks') }}
    where
        {{ within(hours, 'clicked_at', before_seconds=lookback_seconds) }}
        and {{ is_known_user('user_id') }}
        and {{ is_known_id('click_id') }}
),

touched as (
    select distinct
        judged.checkout_id,
        judged.user_id,
        judged.product_id,
        judged.checked_out_at
    from judged
    left join clicks as late_clicks
        on
            judged.user_id = late_clicks.user_id
            and late_clicks.is_late
            and late_clicks.clicked_at >= judged.checked_out_at - {{ lookback }}
            and late_clicks.clicked_at <= judged.checked_out_at
    where
        {{ is_known_id('judged.checkout_id') }}
        and (not judged.is_answered or judged.is_truncated or late_clicks.is_late)
),

-- Clicks in the lookback, both ends included. If a click_id has several rows, the earliest stays.
copies as (
    select
        touched.checkout_id,
        touched.product_id as bought_product_id,
        touched.checked_out_at,
        clicks.*,
        row_number() over (
            partition by
                touched.user_id,
                touched.checkout_id,
                touched.product_id,
                touched.checked_out_at,
                clicks.click_id
            order by clicks.clicked_at, clicks.kafka_partition, clicks.kafka_offset
        ) as copy_number
    from clicks
    inner join touched
        on
            clicks.user_id = touched.user_id
            and clicks.clicked_at >= touched.checked_out_at - {{ lookback }}
            and clicks.clicked_at <= touched.checked_out_at
),

steps as (
    select
        *,
        row_number() over (
            partition by user_id, checkout_id, bought_product_id, checked_out_at
            order by clicked_at, click_id
        ) as step,
        count(*) over (
            partition by user_id, checkout_id, bought_product_id, checked_out_at
        ) as step_count
    from copies
    where copy_number = 1
),

-- All touchpoints, or {{ most }} of them: the first {{ most - latest }} and the latest {{ latest }}.
paths as (
    select
        user_id,
        checkout_id,
        bought_product_id,
        checked_out_at,
        array_agg(
            cast(row(click_id, product_id, source, campaign, clicked_at) as {{ touchpoint }})
            order by step
        ) filter (
            where
                step_count <= {{ most }}
                or step <= {{ most - latest }}
                or step > step_count - {{ latest }}
        ) as touchpoints,
        count(*) as touchpoint_count,
        min_by(
            cast(row(click_id, product_id, source, campaign, clicked_at) as {{ touchpoint }}), step
        ) filter (where product_id = bought_product_id) as earner,
        max(ingested_at) as latest_ingested_at
    from steps
    group by user_id, checkout_id, bought_product_id, checked_out_at
),

again as (
    select
        user_id,
        checkout_id,
        bought_product_id,
        checked_out_at,
        latest_ingested_at,
        cast(row(
            touchpoints,
            touchpoint_count,
            earner.click_id,
            coalesce(earner.source, 'unattributed'),
            coalesce(earner.campaign, 'unattributed'),
            earner.clicked_at
        ) as {{ answer }}) as answer
    from paths
),

answers as (
    select
        judged.*,
        coalesce(
            again.answer,
            if(judged.is_answered, judged.reported_answer),
            -- The stream gave no answer and no click led to the checkout.
            cast(row(array[], 0, null, 'unattributed', 'unattributed', null) as {{ answer }})
        ) as answer,
        greatest(
            judged.judged_at, coalesce(again.latest_ingested_at, judged.judged_at)
        ) as latest_ingested_at
    from judged
    left join again
        on
            judged.user_id = again.user_id
            and judged.checkout_id = again.checkout_id
            and judged.product_id = again.bought_product_id
            and judged.checked_out_at = again.checked_out_at
),

restated as (
    select
        *,
        answer is distinct from reported_answer as is_restated
    from answers
)

select
    restated.checkout_id,
    restated.user_id,
    restated.product_id,
    restated.checked_out_at,
    restated.event_hour,
    restated.quantity,
    restated.payment_method,
    restated.payment_status,
    restated.failure_reason,
    restated.is_paid,
    restated.total_usd,
    restated.profit_usd,
    restated.is_late,
    users.user_name,
    users.gender,
    products.product_name,
    products.category,
    restated.answer.touchpoints,
    restated.answer.touchpoint_count,
    restated.answer.click_id,
    restated.answer.source,
    restated.answer.campaign,
    restated.answer.clicked_at,
    restated.answer.click_id is not null as is_attributed,
    restated.reported_answer.touchpoint_count as reported_touchpoint_count,
    restated.reported_answer.click_id as reported_click_id,
    restated.reported_answer.source as reported_source,
    restated.reported_answer.campaign as reported_campaign,
    restated.reported_answer.clicked_at as reported_clicked_at,
    restated.is_restated,
    case
        when not restated.is_restated then null
        when restated.is_late then 'late checkout'
        when not restated.is_answered then 'not reported'
        when restated.is_truncated then 'too many clicks'
        else 'late click'
    end as restatement_reason,
    greatest(
        restated.latest_ingested_at,
        coalesce(users.known_at, restated.latest_ingested_at),
        coalesce(products.known_at, restated.latest_ingested_at)
    ) as latest_ingested_at
from restated
left join {{ ref('dim_users') }} as users
    on
        restated.user_id = users.user_id
        and restated.checked_out_at >= users.valid_from
        and restated.checked_out_at < users.valid_to
left join {{ ref('dim_products') }} as products
    on
        restated.product_id = products.product_id
        and restated.checked_out_at >= products.valid_from
        and restated.checked_out_at < products.valid_to
{%- endmacro %}

{#-
The body of the mart attributed_checkouts: the rows that differ from the mart, of the hours touched
since the last build.
-#}
{% macro touched_checkouts() -%}
{%- for hours in slices(hours_of_touched_checkouts()) %}
{{ hours_mark(hours) }}
with

checkouts as (
    {{ attributed_checkouts(hours) | indent(4) }}
)

{{ only_restated('checkouts', where=within(hours, 'checked_out_at')) }}
{%- endfor %}
{%- endmacro %}

{#-
The checkouts that count, as rows of int_checkouts_deduplicated. A user's checkout_id and product_id
are a line; a line at one event time is an attempt to pay. An attempt counts if no other one follows
within the lookback: a failed payment that was repeated does not count. If the checkout_id is one
that means unknown, each attempt counts. Of copies of an attempt, one that was on time stays, then
the first in Kafka's order.

messages: a relation. With an attempt, it must hold all attempts of the lookback after it.
-#}
{% macro latest_attempts(messages) -%}
with

numbered as (
    select
        *,
        row_number() over (
            partition by user_id, checkout_id, product_id, checked_out_at
            order by is_late, kafka_partition, kafka_offset
        ) as message_number
    from {{ messages }}
),

attempts as (
    select
        *,
        lead(checked_out_at) over (
            partition by user_id, checkout_id, product_id
            order by checked_out_at
        ) as next_attempt_at
    from numbered
    where message_number = 1
)

select
    checkout_id,
    user_id,
    session_id,
    product_id,
    quantity,
    total_usd,
    profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    is_paid,
    checked_out_at,
    event_hour,
    is_late,
    ingested_at
from attempts
where
    next_attempt_at is null
    or not {{ is_known_id('checkout_id') }}
    or next_attempt_at > checked_out_at + interval '{{ env_var("LOOKBACK_SECONDS") }}' second
{%- endmacro %}

{#-
The hours whose checkouts a build must compute again: see `touched_hours` (restatement.sql). Since
the last build, these hours were touched:

- the hour of each checkout that arrived or was answered, and those of the lookback before it;
- the hours that the lookback after a late click reaches;
- all hours since a change of a user or product, and the hours of its checkouts that have no name
  yet, because the first version of a row is also valid for the time before it.
-#}
{% macro hours_of_touched_checkouts() -%}
    {%- set changes = {
        'user': ref('stg_lake__users_changes'),
        'product': ref('stg_lake__products_changes'),
    } -%}
    {%- set lookback = "interval '" ~ env_var('LOOKBACK_SECONDS') ~ "' second" -%}
    {%- set late_clicks -%}
        (
            select
                event_hour,
                ingested_at,
                date_trunc('hour', clicked_at + {{ lookback }}) + interval '1' hour as end_hour
            from {{ ref('stg_lake__clicks') }}
            where is_late
        )
    {%- endset -%}
    {%- set inputs = [
        'messages_of_checkouts',
        {'relation': late_clicks, 'hour': 'event_hour', 'until': 'end_hour', 'seen': 'ingested_at'},
    ] -%}
    {%- for entity, changes_of_it in changes.items() -%}
        {%- set nameless -%}
            (
                select mart.event_hour, changes.ingested_at
                from {{ this }} as mart
                inner join {{ changes_of_it }} as changes
                    on mart.{{ entity }}_id = changes.{{ entity }}_id
                where mart.{{ entity }}_name is null
            )
        {%- endset -%}
        {%- do inputs.append(changes_until_now(changes_of_it)) -%}
        {%- do inputs.append({'relation': nameless, 'hour': 'event_hour', 'seen': 'ingested_at'}) -%}
    {%- endfor -%}
    {{ return(touched_hours(inputs, most=var("touched_ranges"))) }}
{%- endmacro %}

{#- An input of `touched_hours`: a change touches all hours since. -#}
{% macro changes_until_now(changes) -%}
    {{ return({
        'relation': changes,
        'hour': 'change_hour',
        'until': "timestamp '9999-12-31 00:00:00 UTC'",
        'seen': 'ingested_at',
    }) }}
{%- endmacro %}
