-- What the customer paid, half-up to cents; null where it does not fit decimal(12, 2).
try_cast(
    round(
        quantity * unit_price_usd * (1 - discount_share) + shipping_usd,
        2
    ) as decimal(12, 2)
)
