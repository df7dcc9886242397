-- Grain: hour, source and campaign. The current hour's spend grows until the hour ends.
create table if not exists ad_spend (
    spend_hour timestamptz not null,
    source text not null,
    campaign text not null,
    spend_usd numeric(12, 2) not null check (spend_usd >= 0),
    primary key (spend_hour, source, campaign)
)
