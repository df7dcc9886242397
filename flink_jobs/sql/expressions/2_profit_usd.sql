-- Our commission on what the customer paid without shipping, half-up to cents.
try_cast(
    round(
        (${total_usd} - shipping_usd) * commission_share,
        2
    ) as decimal(12, 2)
)
