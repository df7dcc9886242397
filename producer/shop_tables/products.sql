-- Grain: product. The shop's own record; `unit_price_usd` is the current price.
create table if not exists products (
    product_id bigint primary key,
    product_name text not null,
    category text not null,
    unit_price_usd numeric(12, 2) not null check (unit_price_usd >= 0),
    unit_cost_usd numeric(12, 2) not null check (unit_cost_usd >= 0),
    updated_at timestamptz not null
)
