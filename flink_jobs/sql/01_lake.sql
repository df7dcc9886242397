-- The catalog of the lake: Iceberg tables on S3, listed in PostgreSQL. The processes read S3's
-- credentials and region from their environment. lake_tables.py has made the tables before this
-- runs; no SQL here makes or drops one. The catalog is Iceberg's for JDBC, and refuses to commit a
-- checkpoint twice (java/io/tributary/lake).
create catalog `${lake_catalog}` with (
    'type' = 'iceberg',
    'catalog-impl' = 'io.tributary.lake.OnceOnlyCatalog',
    'uri' = '${catalog_jdbc_uri}',
    'jdbc.user' = '${catalog_user}',
    'jdbc.password' = '${catalog_password}',
    'jdbc.schema-version' = 'V1',
    'warehouse' = '${lake_warehouse}',
    'io-impl' = 'org.apache.iceberg.aws.s3.S3FileIO',
    's3.endpoint' = '${s3_endpoint}',
    's3.path-style-access' = 'true'
)
