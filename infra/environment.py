"""What each part of the lakehouse finds in its environment: addresses and its own credentials.

The names are the same in every topology; Trino, dbt and Superset read them natively.
"""

from infra.secrets import Secrets
from infra.settings import REPOSITORY, Settings


def user_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """What `make env` prints: a reader's view of the running lakehouse."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.topology.kafka.authority,
        **_s3(settings, "analyst", secrets.s3_analyst_secret_key),
        "CATALOG_URI": settings.topology.postgres.uri(
            "catalog", "analyst", secrets.postgres_analyst_password
        ),
        **_trino(settings, "analyst", secrets.trino_analyst_password),
        "SUPERSET_URL": settings.topology.superset.url,
        "SUPERSET_USER": "admin",
        "SUPERSET_PASSWORD": secrets.superset_admin_password,
        "FLINK_URL": settings.topology.flink.url,
    }


def flink_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """The job: reads Kafka, writes tables and checkpoints, owns the catalog."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.topology.kafka.authority,
        **_s3(settings, "flink", secrets.s3_flink_secret_key),
        "CATALOG_JDBC_URI": settings.topology.postgres.jdbc_uri("catalog"),
        "CATALOG_URI": settings.topology.postgres.uri(
            "catalog", "catalog", secrets.postgres_catalog_password
        ),
        "CATALOG_USER": "catalog",
        "CATALOG_PASSWORD": secrets.postgres_catalog_password,
        "FLINK_URL": settings.topology.flink.url,
    }


def trino_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """The query engine: reads and writes tables; its files refer to these as `${ENV:...}`."""
    return {
        **_s3(settings, "trino", secrets.s3_trino_secret_key),
        "CATALOG_JDBC_URI": settings.topology.postgres.jdbc_uri("catalog"),
        "CATALOG_USER": "catalog",
        "CATALOG_PASSWORD": secrets.postgres_catalog_password,
        "LAKE_CATALOG": settings.meanings.lake.catalog,
        "LAKE_WAREHOUSE": settings.meanings.lake.warehouse,
        "TRINO_HOST": settings.topology.trino.host,
        "TRINO_PORT": str(settings.topology.trino.port),
        "TRINO_INTERNAL_SECRET": secrets.trino_internal_secret,
        "TRINO_CONFIGURATION": str(settings.state / "configuration/trino"),
    }


def dbt_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """The marts' builder; also the lake's housekeeper."""
    return {
        **_trino(settings, "etl", secrets.trino_etl_password),
        # dbt-trino's `cert` loses against a REQUESTS_CA_BUNDLE of the machine.
        "REQUESTS_CA_BUNDLE": str(settings.trino_ca_file),
        "DBT_PROFILES_DIR": str(REPOSITORY / "dbt"),
        "DBT_PROJECT_DIR": str(REPOSITORY / "dbt"),
        "DBT_TARGET_PATH": str(settings.state / "dbt/target"),
        "DBT_LOG_PATH": str(settings.logs / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def superset_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """The dashboards: their own database, and Trino as a reader of marts."""
    return {
        **_trino(settings, "dashboard", secrets.trino_dashboard_password),
        "SUPERSET_METADATA_URI": settings.topology.postgres.uri(
            "superset", "superset", secrets.postgres_superset_password
        ),
        "SUPERSET_SECRET_KEY": secrets.superset_secret_key,
        "SUPERSET_ADMIN_PASSWORD": secrets.superset_admin_password,
        "SUPERSET_HOME": str(settings.state / "data/superset"),
        "SUPERSET_CONFIG_PATH": str(REPOSITORY / "superset/superset_config.py"),
        "SUPERSET_ASSETS": str(REPOSITORY / "superset/assets"),
        "SUPERSET_URL": settings.topology.superset.url,
    }


def _s3(settings: Settings, user: str, secret_key: str) -> dict[str, str]:
    return {
        "S3_ENDPOINT": settings.topology.s3.endpoint,
        "S3_REGION": settings.topology.s3.region,
        "S3_ACCESS_KEY_ID": user,
        "S3_SECRET_ACCESS_KEY": secret_key,
    }


def _trino(settings: Settings, user: str, password: str) -> dict[str, str]:
    return {
        "TRINO_URL": settings.topology.trino.url,
        "TRINO_HOST": settings.topology.trino.host,
        "TRINO_PORT": str(settings.topology.trino.port),
        "TRINO_USER": user,
        "TRINO_PASSWORD": password,
        "TRINO_CA_FILE": str(settings.trino_ca_file),
    }
