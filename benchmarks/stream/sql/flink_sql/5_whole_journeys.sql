-- The whole answer in SQL, as far as it goes: a checkout's journey is what an OVER window of the
-- lookback holds of its user, its click the first of such a window of user and product. Answers are
-- final, on time and with their touchpoints, as the job's are; into the job's own table.
-- Not as the job's are: copies of clicks and checkouts stay, ties are as they came, no cap on
-- touchpoints, and what is behind the watermark is dropped, as is a checkout without a part that
-- the table requires.
insert into `${lake_catalog}`.attribution.attributed_checkouts
select
    checkout_id,
    user_id,
    product_id,
    quantity,
    total_usd,
    cast(round((total_usd - shipping_usd) * commission_share, 2) as decimal(12, 2)) as profit_usd,
    payment_method,
    payment_status,
    failure_reason,
    cast(occurred_at as timestamp_ltz(6)) as checked_out_at,
    touchpoints,
    coalesce(cardinality(touchpoints), 0) as touchpoint_count,
    first_click_id as click_id,
    first_source as click_source,
    first_campaign as click_campaign,
    cast(to_timestamp_ltz(first_clicked_at_ms, 3) as timestamp_ltz(6)) as clicked_at,
    first_click_id is not null as is_attributed,
    false as is_truncated,
    cast(current_timestamp as timestamp_ltz(6)) as attributed_at
from (
    select
        *,
        first_value(click_id) over on_product as first_click_id,
        first_value(source) over on_product as first_source,
        first_value(campaign) over on_product as first_campaign,
        first_value(clicked_at_ms) over on_product as first_clicked_at_ms
    from (
        select
            *,
            array_remove(array_agg(click) over journey, no_click) as touchpoints
        from (
            select
                user_id,
                product_id,
                clicked_at as occurred_at,
                event_id as click_id,
                source,
                campaign,
                occurred_at_ms as clicked_at_ms,
                cast(
                    row(event_id, product_id, source, campaign, clicked_at)
                    as row<click_id string, product_id bigint, source string, campaign string,
                    clicked_at timestamp_ltz(6)>
                ) as click,
                cast(
                    null as row<click_id string, product_id bigint, source string, campaign string,
                    clicked_at timestamp_ltz(6)>
                ) as no_click,
                cast(null as string) as checkout_id,
                cast(null as int) as quantity,
                cast(null as decimal(12, 2)) as total_usd,
                cast(null as decimal(12, 2)) as shipping_usd,
                cast(null as decimal(5, 4)) as commission_share,
                cast(null as string) as payment_method,
                cast(null as string) as payment_status,
                cast(null as string) as failure_reason
            from clicks
            where event_type = 'click'
            union all
            select
                user_id,
                product_id,
                checked_out_at as occurred_at,
                cast(null as string) as click_id,
                cast(null as string) as source,
                cast(null as string) as campaign,
                cast(null as bigint) as clicked_at_ms,
                cast(
                    null as row<click_id string, product_id bigint, source string, campaign string,
                    clicked_at timestamp_ltz(6)>
                ) as click,
                cast(
                    null as row<click_id string, product_id bigint, source string, campaign string,
                    clicked_at timestamp_ltz(6)>
                ) as no_click,
                checkout_id,
                quantity,
                cast(
                    round(quantity * unit_price_usd * (1 - discount_share) + shipping_usd, 2)
                    as decimal(12, 2)
                ) as total_usd,
                shipping_usd,
                commission_share,
                payment_method,
                payment_status,
                failure_reason
            from checkouts
            where checkout_id is not null
                and user_id is not null
                and product_id is not null
                and payment_method is not null
                and payment_status is not null
                and quantity * unit_price_usd * discount_share * shipping_usd * commission_share is not null
                and checked_out_at > to_timestamp_ltz(0, 3)
        )
        window journey as (
            partition by user_id
            order by occurred_at
            range between interval '1' hour preceding and current row
        )
    )
    window on_product as (
        partition by user_id, product_id
        order by occurred_at
        range between interval '1' hour preceding and current row
    )
)
where checkout_id is not null
