-- Grain: one line of a user's checkout, late ones included, as its latest attempt to pay
-- within the lookback left it. Holds the answer by all data in the lake next to the answer
-- that the stream reported.
-- Input: the macro attributed_checkouts, for the hours touched since the last build.
-- int_checkouts_attributed is the same macro for all hours.
-- Incremental: a build recomputes the hours that a checkout, a late click or a change of a
-- dimension touched, and merges the rows that differ. A build without news writes nothing.
{{
    config(
        unique_key=['user_id', 'checkout_id', 'product_id', 'checked_out_at'],
        properties={'partitioning': "array['year(checked_out_at)']"},
    )
}}

{{ touched_checkouts() }}
