-- Who bought what in the last hour, and at what price, by the shop's tables of that moment?
-- Reads: attribution.attributed_checkouts, with the versions of dim_users and dim_products
-- that were valid then.
select
    checkouts.checked_out_at,
    users.user_name,
    users.country,
    products.product_name,
    products.category,
    products.unit_price_usd,
    checkouts.quantity,
    checkouts.total_usd
from attribution.attributed_checkouts as checkouts
left join marts.dim_users as users
    on
        checkouts.user_id = users.user_id
        and checkouts.checked_out_at >= users.valid_from
        and checkouts.checked_out_at < users.valid_to
left join marts.dim_products as products
    on
        checkouts.product_id = products.product_id
        and checkouts.checked_out_at >= products.valid_from
        and checkouts.checked_out_at < products.valid_to
where checkouts.checked_out_at > current_timestamp - interval '1' hour
order by checkouts.checked_out_at desc
limit 20
