-- Grain: a change of a row of the shop's table products. What the table gets later is in `message`
-- until it has a line here.
create temporary table products_changes (
    product_id bigint,
    product_name string,
    category string,
    unit_price_usd decimal(12, 2),
    unit_cost_usd decimal(12, 2),
    updated_at timestamp_ltz(6),
    missing as case
        when product_id is null then 'product_id: missing'
    end
) with (
    'topic' = '${products_changes_topic}',
    'properties.client.id.prefix' = 'products_changes'
) like changes
