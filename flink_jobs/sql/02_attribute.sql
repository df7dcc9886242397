-- The attribution function (../java/): reads a user's clicks and checkouts, and writes one row for
-- each checkout.
create temporary system function attribute
as 'io.tributary.attribution.AttributionFunction' language java
