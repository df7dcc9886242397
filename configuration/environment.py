"""The environment variables of each service: addresses and its own credentials.

Their names are the same in both topologies. Trino, dbt and Superset read them natively.
"""

import os

from configuration import REPOSITORY
from configuration.errors import SettingsError
from configuration.kafka_client import MECHANISM, PROTOCOL, kafka_password
from configuration.secrets import Secrets
from configuration.settings import S3Address, Settings, TrinoAddress
from configuration.sql import sql_list

# The role whose credentials a user gets who asks for none: it reads everything, writes nothing.
DEFAULT_ROLE = "analyst"
# The user who may look at Flink's page.
FLINK_USER = "operator"
# A build of the marts reads rows again that arrived within so many checkpoint intervals before the
# newest row that it has seen. A row may become visible that much later than a newer one, if its
# checkpoint was slow or the job restarted. By default 15 minutes.
OVERLAP_CHECKPOINTS = 180


def user_environment(
    settings: Settings, secrets: Secrets, role: str = DEFAULT_ROLE
) -> dict[str, str]:
    """Return what `make env` prints: all addresses, and the credentials of one role.

    Args:
        settings: the settings of the lakehouse.
        secrets: its secrets.
        role: `analyst` reads everything; `etl` builds the marts; `sender` sends events to Kafka;
            `admin` is an analyst who administers Superset and Kafka, and looks at Flink's page.

    Raises:
        SettingsError: there is no such role.
    """
    credentials = {
        "analyst": _analyst_credentials,
        "etl": _etl_credentials,
        "sender": _sender_credentials,
        "admin": _admin_credentials,
    }
    if role not in credentials:
        raise SettingsError(f"ROLE={role}: no such role; use one of {', '.join(credentials)}")
    return {**_published_addresses(settings), **credentials[role](settings, secrets)}


def _published_addresses(settings: Settings) -> dict[str, str]:
    topology = settings.published
    return {
        "KAFKA_BOOTSTRAP_SERVERS": topology.kafka.authority,
        **_s3_address(topology.s3),
        **_trino_address(topology.trino),
        "TRINO_CA_FILE": str(settings.trino_ca_file),
        "SUPERSET_URL": topology.superset.url,
        "FLINK_URL": topology.flink.page_url,
    }


def _analyst_credentials(settings: Settings, secrets: Secrets) -> dict[str, str]:
    return {
        **_s3_login(secrets.s3_analyst_access_key, secrets.s3_analyst_secret_key),
        "CATALOG_URI": settings.published.postgres.uri(
            "catalog", "analyst", secrets.postgres_analyst_password
        ),
        **_trino_login("analyst", secrets.trino_analyst_password),
        **_superset_login("analyst", secrets.superset_analyst_password),
    }


def _etl_credentials(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return the login, and natively what a plain `dbt run` needs.

    `infra/bin/dbt` finds the rest by itself. In containers, dbt runs in one: `cli dbt`.
    """
    login = _trino_login("etl", secrets.trino_etl_password)
    if settings.is_in_containers:
        return login
    programs = str(REPOSITORY / "infra/bin")
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return {
        **login,
        "PATH": os.pathsep.join((programs, *(path for path in paths if path != programs))),
        "TRIBUTARY_PYTHON": str(settings.virtualenv_python("tools")),
    }


def _sender_credentials(_: Settings, secrets: Secrets) -> dict[str, str]:
    return _kafka_login(secrets, "sender")


def _admin_credentials(settings: Settings, secrets: Secrets) -> dict[str, str]:
    return {
        **_analyst_credentials(settings, secrets),
        **_superset_login("admin", secrets.superset_admin_password),
        **_kafka_login(secrets, "admin"),
        "FLINK_USER": FLINK_USER,
        "FLINK_PASSWORD": secrets.flink_operator_password,
    }


def flink_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return the job's variables; it reads Kafka, writes the lake and owns the catalog."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.topology.kafka.authority,
        **_kafka_login(secrets, "flink"),
        **_s3_address(settings.topology.s3),
        **_s3_login(secrets.s3_flink_access_key, secrets.s3_flink_secret_key),
        "CATALOG_JDBC_URI": settings.topology.postgres.jdbc_uri("catalog"),
        "CATALOG_URI": settings.topology.postgres.uri(
            "catalog", "catalog", secrets.postgres_catalog_password
        ),
        "CATALOG_USER": "catalog",
        "CATALOG_PASSWORD": secrets.postgres_catalog_password,
    }


def connect_environment(secrets: Secrets) -> dict[str, str]:
    """Return Kafka Connect's variables; the connector's file reads them as `${env:...}`."""
    return {"DEBEZIUM_PASSWORD": secrets.postgres_debezium_password}


def trino_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return Trino's variables; its configuration files read them as `${ENV:...}`."""
    return {
        **_s3_address(settings.topology.s3),
        **_s3_login(secrets.s3_trino_access_key, secrets.s3_trino_secret_key),
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
    return {
        **_trino_address(settings.topology.trino),
        **_trino_login("etl", secrets.trino_etl_password),
        "TRINO_CA_FILE": str(settings.trino_ca_file),
        # If the machine sets REQUESTS_CA_BUNDLE, requests prefers it to dbt-trino's `cert`.
        "REQUESTS_CA_BUNDLE": str(settings.trino_ca_file),
        **marts_settings(settings),
        "DBT_PROFILES_DIR": str(REPOSITORY / "dbt"),
        "DBT_PROJECT_DIR": str(REPOSITORY / "dbt"),
        "DBT_TARGET_PATH": str(settings.state / "dbt/target"),
        "DBT_LOG_PATH": str(settings.logs / "dbt"),
    }


def marts_settings(settings: Settings) -> dict[str, str]:
    """Return the pipeline's settings that the models read, and dbt's own."""
    attribution, marts = settings.pipeline.attribution, settings.pipeline.marts
    checkpoint_seconds = settings.pipeline.flink.checkpoint_interval_seconds
    return {
        "RESTATEMENT_OVERLAP_SECONDS": str(OVERLAP_CHECKPOINTS * checkpoint_seconds),
        "LOOKBACK_SECONDS": str(attribution.lookback_seconds),
        "LEARNING_WINDOW_HOURS": str(marts.learning_window_hours),
        "LEARNING_PAUSE_MINUTES": str(marts.learning_pause_minutes),
        "MAX_TOUCHPOINTS": str(attribution.max_touchpoints),
        "UNKNOWN_USER_IDS": sql_list(attribution.unknown_user_ids),
        # An empty id is not valid; with it, `not in (...)` is never empty.
        "UNKNOWN_IDS": sql_list(("", *attribution.unknown_ids)),
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


def _kafka_login(secrets: Secrets, user: str) -> dict[str, str]:
    return {
        "KAFKA_SECURITY_PROTOCOL": PROTOCOL,
        "KAFKA_SASL_MECHANISM": MECHANISM,
        "KAFKA_SASL_USERNAME": user,
        "KAFKA_SASL_PASSWORD": kafka_password(secrets, user),
    }


def _s3_address(address: S3Address) -> dict[str, str]:
    return {"S3_ENDPOINT": address.endpoint, "S3_REGION": address.region}


def _s3_login(access_key: str, secret_key: str) -> dict[str, str]:
    return {"S3_ACCESS_KEY_ID": access_key, "S3_SECRET_ACCESS_KEY": secret_key}


def _trino_address(address: TrinoAddress) -> dict[str, str]:
    return {
        "TRINO_URL": address.url,
        "TRINO_HOST": address.host,
        "TRINO_PORT": str(address.port),
    }


def _trino_login(user: str, password: str) -> dict[str, str]:
    return {"TRINO_USER": user, "TRINO_PASSWORD": password}


def _superset_login(user: str, password: str) -> dict[str, str]:
    return {"SUPERSET_USER": user, "SUPERSET_PASSWORD": password}
