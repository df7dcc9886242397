-- What did we know a minute ago? The same count on the table as it is and as it was.
-- Reads: attribution.attributed_checkouts, twice. Time travel reaches back as far as snapshots
-- are kept. It fails if the table did not exist yet at that moment.
select
    'now' as as_of,
    count(*) as checkout_count,
    max(checked_out_at) as newest_checkout_at
from attribution.attributed_checkouts
union all
select
    'a minute ago' as as_of,
    count(*) as checkout_count,
    max(checked_out_at) as newest_checkout_at
from attribution.attributed_checkouts
for timestamp as of current_timestamp - interval '1' minute -- noqa: PRS
