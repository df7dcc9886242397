-- The lake: Iceberg tables on S3, listed in PostgreSQL. S3's credentials and region come from
-- the processes' environment. The tables exist already (lake_tables.py); nothing here drops one.
create catalog `${lake_catalog}` with (
    'type' = 'iceberg',
    'catalog-impl' = 'org.apache.iceberg.jdbc.JdbcCatalog',
    'uri' = '${catalog_jdbc_uri}',
    'jdbc.user' = '${catalog_user}',
    'jdbc.password' = '${catalog_password}',
    'jdbc.schema-version' = 'V1',
    'warehouse' = '${lake_warehouse}',
    'io-impl' = 'org.apache.iceberg.aws.s3.S3FileIO',
    's3.endpoint' = '${s3_endpoint}',
    's3.path-style-access' = 'true'
)
