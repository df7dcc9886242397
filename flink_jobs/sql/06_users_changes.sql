-- Grain: a change of a row of the shop's table users. What the table gets later is in `message`
-- until it has a line here.
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
