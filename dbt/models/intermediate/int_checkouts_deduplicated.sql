-- Grain: one checkout of a user. If a user's id arrived more than once, the earliest row by
-- event time stays, then the first in Kafka's order, whatever its hour. The stream keeps the
-- same row.
-- Input: stg_lake__checkouts. Late rows: included.
{{ first_copies(ref('stg_lake__checkouts')) }}
