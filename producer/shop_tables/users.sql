-- Grain: customer. The shop's own record; `country` changes when the customer moves.
create table if not exists users (
    user_id bigint primary key,
    full_name text not null,
    gender text not null,
    birth_date date not null,
    country text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
)
