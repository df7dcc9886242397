-- Grain: checkout. An id that came more than once keeps the row that is earliest by event time,
-- then first in Kafka's order, whatever its hour: what the stream keeps too.
-- Input: stg_lake__checkouts. Late rows: included.
{{ first_copies(ref('stg_lake__checkouts')) }}
