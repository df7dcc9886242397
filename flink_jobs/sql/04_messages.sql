-- Grain: a Kafka message.
-- Inputs: kafka_messages.
-- Lateness: decided here and once: a row at or behind the watermark when it is read is late, and
-- every table that follows goes by this column.
create temporary view messages as
select
    *,
    coalesce(occurred_at <= current_watermark(occurred_at), false) as is_late
from kafka_messages
