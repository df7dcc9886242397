-- The attribution function (../java/): clicks and checkouts of a user in, one row
-- for each checkout out.
create temporary system function attribute
as 'io.tributary.attribution.AttributionFunction' language java
