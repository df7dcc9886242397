-- Grain: one change of a row in the shop's table products.
-- Inputs: the topic of that table. If the shop adds a column, `message` has its values until the
-- column gets a line here.
-- Exclusions: none; `missing` says which part of the row's key is absent.
-- Lateness: none.
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
