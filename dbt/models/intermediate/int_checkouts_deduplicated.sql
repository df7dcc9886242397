-- Grain: one line of a user's checkout, as its latest attempt to pay within the lookback
-- left it (macro latest_attempts).
-- Input: stg_lake__checkouts. Excluded: copies; attempts that another one follows within the
-- lookback. Late rows: included.
{{ latest_attempts(ref('stg_lake__checkouts')) }}
