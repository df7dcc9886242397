-- Grain: one change of a row in the shop's table users.
-- Inputs: the topic of that table. If the shop adds a column, `message` has its values until the
-- column gets a line here.
-- Exclusions: none; `missing` says which part of the row's key is absent.
-- Lateness: none.
create temporary table users_changes (
    user_id bigint,
    full_name string,
    gender string,
    birth_date date,
    country string,
    created_at timestamp_ltz(6),
    updated_at timestamp_ltz(6),
    missing as case
        when user_id is null then 'user_id: missing'
    end
) with (
    'topic' = '${users_changes_topic}',
    'properties.client.id.prefix' = 'users_changes'
) like changes
