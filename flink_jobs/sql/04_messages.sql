-- Grain: a Kafka message.
-- Inputs: kafka_messages.
-- Lateness: decided here and once: a row at or behind the watermark when it is read is late, and
-- every table that follows goes by this column. A new submission forgets the watermark; what
-- earlier ones have answered (`answered_until_ms`) stays late.
create temporary view messages as
select
    *,
    coalesce(
        occurred_at <= current_watermark(occurred_at)
        or occurred_at_ms <= ${answered_until_ms} and reason is null,
        false
    ) as is_late
from kafka_messages
