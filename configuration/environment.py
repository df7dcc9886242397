"""The environment variables of each service: addresses and its own credentials.

Their names are the same in both topologies. Trino, dbt and Superset read them natively.
"""

from configuration import REPOSITORY
from configuration.secrets import Secrets
from configuration.settings import S3Address, Settings, TrinoAddress


def user_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return what `make env` prints: addresses, read-only credentials, Superset's admin login."""
    topology = settings.published
    return {
        "KAFKA_BOOTSTRAP_SERVERS": topology.kafka.authority,
        **_s3(topology.s3, secrets.s3_analyst_access_key, secrets.s3_analyst_secret_key),
        "CATALOG_URI": topology.postgres.uri(
            "catalog", "analyst", secrets.postgres_analyst_password
        ),
        **_trino(topology.trino, "analyst", secrets.trino_analyst_password),
        "TRINO_CA_FILE": str(settings.trino_ca_file),
        "SUPERSET_URL": topology.superset.url,
        "SUPERSET_USER": "admin",
        "SUPERSET_PASSWORD": secrets.superset_admin_password,
        "FLINK_URL": topology.flink.url,
    }


def flink_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return the job's variables; it reads Kafka, writes the lake and owns the catalog."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.topology.kafka.authority,
        **_s3(settings.topology.s3, secrets.s3_flink_access_key, secrets.s3_flink_secret_key),
        "CATALOG_JDBC_URI": settings.topology.postgres.jdbc_uri("catalog"),
        "CATALOG_URI": settings.topology.postgres.uri(
            "catalog", "catalog", secrets.postgres_catalog_password
        ),
        "CATALOG_USER": "catalog",
        "CATALOG_PASSWORD": secrets.postgres_catalog_password,
        "FLINK_URL": settings.topology.flink.url,
    }


def connect_environment(secrets: Secrets) -> dict[str, str]:
    """Return Kafka Connect's variables; the connector's file reads them as `${env:...}`."""
    return {"DEBEZIUM_PASSWORD": secrets.postgres_debezium_password}


def trino_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return Trino's variables; its configuration files read them as `${ENV:...}`."""
    return {
        **_s3(settings.topology.s3, secrets.s3_trino_access_key, secrets.s3_trino_secret_key),
        "CATALOG_JDBC_URI": settings.topology.postgres.jdbc_uri("catalog"),
        "CATALOG_USER": "catalog",
        "CATALOG_PASSWORD": secrets.postgres_catalog_password,
        "LAKE_CATALOG": settings.pipeline.lake.catalog,
        "LAKE_WAREHOUSE": settings.pipeline.lake.warehouse,
        "TRINO_HOST": settings.topology.trino.host,
        "TRINO_PORT": str(settings.topology.trino.port),
        "TRINO_INTERNAL_SECRET": secrets.trino_internal_secret,
        "TRINO_CONFIGURATION": str(settings.state / "configuration/trino"),
    }


def dbt_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return dbt's variables; dbt builds and tests the marts."""
    attribution = settings.pipeline.attribution
    return {
        **_trino(settings.topology.trino, "etl", secrets.trino_etl_password),
        "TRINO_CA_FILE": str(settings.trino_ca_file),
        # If the machine sets REQUESTS_CA_BUNDLE, requests prefers it to dbt-trino's `cert`.
        "REQUESTS_CA_BUNDLE": str(settings.trino_ca_file),
        "LOOKBACK_SECONDS": str(attribution.lookback_seconds),
        "LEARNING_WINDOW_HOURS": str(settings.pipeline.marts.learning_window_hours),
        "LEARNING_PAUSE_MINUTES": str(settings.pipeline.marts.learning_pause_minutes),
        "MAX_TOUCHPOINTS": str(attribution.max_touchpoints),
        "DBT_PROFILES_DIR": str(REPOSITORY / "dbt"),
        "DBT_PROJECT_DIR": str(REPOSITORY / "dbt"),
        "DBT_TARGET_PATH": str(settings.state / "dbt/target"),
        "DBT_LOG_PATH": str(settings.logs / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def superset_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return Superset's variables.

    Superset has its own database. It queries Trino as `dashboard` for charts and as `analyst` in
    SQL Lab.
    """
    return {
        "TRINO_HOST": settings.topology.trino.host,
        "TRINO_PORT": str(settings.topology.trino.port),
        "TRINO_DASHBOARD_PASSWORD": secrets.trino_dashboard_password,
        "TRINO_ANALYST_PASSWORD": secrets.trino_analyst_password,
        "TRINO_CA_FILE": str(settings.trino_ca_file),
        "SUPERSET_METADATA_URI": settings.topology.postgres.uri(
            "superset", "superset", secrets.postgres_superset_password
        ),
        "SUPERSET_SECRET_KEY": secrets.superset_secret_key,
        "SUPERSET_ADMIN_PASSWORD": secrets.superset_admin_password,
        "SUPERSET_ANALYST_PASSWORD": secrets.superset_analyst_password,
        "SUPERSET_VIEWER_PASSWORD": secrets.superset_viewer_password,
        "SUPERSET_HOME": str(settings.state / "data/superset"),
        "SUPERSET_CONFIG_PATH": str(REPOSITORY / "superset/superset_config.py"),
        "SUPERSET_ASSETS": str(REPOSITORY / "superset/assets"),
        "SUPERSET_URL": settings.topology.superset.url,
    }


def _s3(address: S3Address, access_key: str, secret_key: str) -> dict[str, str]:
    return {
        "S3_ENDPOINT": address.endpoint,
        "S3_REGION": address.region,
        "S3_ACCESS_KEY_ID": access_key,
        "S3_SECRET_ACCESS_KEY": secret_key,
    }


def _trino(address: TrinoAddress, user: str, password: str) -> dict[str, str]:
    return {
        "TRINO_URL": address.url,
        "TRINO_HOST": address.host,
        "TRINO_PORT": str(address.port),
        "TRINO_USER": user,
        "TRINO_PASSWORD": password,
    }
