-- Grain: a change of a row of the shop's table ad_spend. What the table gets later is in `message`
-- until it has a line here.
create temporary table ad_spend_changes (
    spend_hour timestamp_ltz(6),
    source string,
    campaign string,
    spend_usd decimal(12, 2),
    missing as case
        when spend_hour is null then 'spend_hour: missing'
        when source is null then 'source: missing'
        when campaign is null then 'campaign: missing'
    end
) with (
    'topic' = '${ad_spend_changes_topic}',
    'properties.client.id.prefix' = 'ad_spend_changes'
) like changes
