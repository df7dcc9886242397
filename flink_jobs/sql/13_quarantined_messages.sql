-- Grain: one message, of any topic, that breaks its contract.
-- Inputs: malformed_messages; changes of users, products and ad_spend.
-- Exclusions: valid messages.
-- Lateness: none; such a message has no event time.
create temporary view quarantined_messages as
select topic, kafka_partition, kafka_offset, message_key, body, reason
from malformed_messages
union all
select topic, kafka_partition, kafka_offset, message_key, body, coalesce(fault, missing)
from users_changes
where coalesce(fault, missing) is not null
union all
select topic, kafka_partition, kafka_offset, message_key, body, coalesce(fault, missing)
from products_changes
where coalesce(fault, missing) is not null
union all
select topic, kafka_partition, kafka_offset, message_key, body, coalesce(fault, missing)
from ad_spend_changes
where coalesce(fault, missing) is not null
