-- Why a message breaks the contract, its first fault, beginning with the field's name; null where
-- it keeps it. First what the format could not read, then what the values may not be. Time is
-- judged by the broker's clock, so that a replay decides the same.
coalesce(
    case
        when problems is null then null
        when problems[''] is not null then 'message: ' || problems['']
        when topic = '${clickstream_topic}' then coalesce(
            'event_id: ' || problems['event_id'],
            'user_id: ' || problems['user_id'],
            'session_id: ' || problems['session_id'],
            'product_id: ' || problems['product_id'],
            'occurred_at_ms: ' || problems['occurred_at_ms'],
            'event_type: ' || problems['event_type'],
            'source: ' || problems['source'],
            'campaign: ' || problems['campaign'],
            'url: ' || problems['url'],
            'device: ' || problems['device'],
            'user_agent: ' || problems['user_agent'],
            'ip_address: ' || problems['ip_address'],
            'latitude: ' || problems['latitude'],
            'longitude: ' || problems['longitude']
        )
        else coalesce(
            'checkout_id: ' || problems['checkout_id'],
            'user_id: ' || problems['user_id'],
            'session_id: ' || problems['session_id'],
            'product_id: ' || problems['product_id'],
            'occurred_at_ms: ' || problems['occurred_at_ms'],
            'quantity: ' || problems['quantity'],
            'unit_price_usd: ' || problems['unit_price_usd'],
            'discount_share: ' || problems['discount_share'],
            'shipping_usd: ' || problems['shipping_usd'],
            'commission_share: ' || problems['commission_share'],
            'payment_method: ' || problems['payment_method'],
            'payment_status: ' || problems['payment_status'],
            'failure_reason: ' || problems['failure_reason'],
            'shipping_address: ' || problems['shipping_address'],
            'billing_address: ' || problems['billing_address'],
            'user_agent: ' || problems['user_agent'],
            'ip_address: ' || problems['ip_address']
        )
    end,
    case
        when user_id is null then 'user_id: missing'
        when session_id is null then 'session_id: missing'
        when occurred_at_ms is null then 'occurred_at_ms: missing'
        when occurred_at_ms < 946684800000 then 'occurred_at_ms: before the year 2000'
        when occurred_at_ms > 253402300799999
            or to_timestamp_ltz(occurred_at_ms, 3)
            > appended_at + ${max_future_seconds} * interval '1' second
            then 'occurred_at_ms: in the future'
        when topic = '${clickstream_topic}' then
            case
                when event_id is null then 'event_id: missing'
                when event_type is null then 'event_type: missing'
                when event_type not in (${event_types})
                    then 'event_type: unknown value "' || substring(event_type, 1, 100) || '"'
            end
        else
            case
                when checkout_id is null then 'checkout_id: missing'
                when product_id is null then 'product_id: missing'
                when quantity is null then 'quantity: missing'
                when quantity < 1 then 'quantity: below 1'
                when unit_price_usd is null then 'unit_price_usd: missing'
                when unit_price_usd < 0 then 'unit_price_usd: negative'
                when discount_share is null then 'discount_share: missing'
                when discount_share < 0 then 'discount_share: negative'
                when discount_share > 1 then 'discount_share: above 1'
                when shipping_usd is null then 'shipping_usd: missing'
                when shipping_usd < 0 then 'shipping_usd: negative'
                when commission_share is null then 'commission_share: missing'
                when commission_share < 0 then 'commission_share: negative'
                when commission_share > 1 then 'commission_share: above 1'
                when payment_method is null then 'payment_method: missing'
                when payment_method not in (${payment_methods})
                    then 'payment_method: unknown value "' || substring(payment_method, 1, 100) || '"'
                when payment_status is null then 'payment_status: missing'
                when payment_status not in (${payment_statuses})
                    then 'payment_status: unknown value "' || substring(payment_status, 1, 100) || '"'
                when ${total_usd} is null
                    then 'total_usd: does not fit decimal(12,2)'
            end
    end
)
