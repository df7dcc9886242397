-- Grain: one change of a row in the shop's table ad_spend.
-- Inputs: the topic of that table. If the shop adds a column, `message` has its values until the
-- column gets a line here.
-- Exclusions: none; `missing` says which part of the row's key is absent.
-- Lateness: none.
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
