"""Secrets: random, generated once at the first start, stored in one file of mode 0600.

No secret is ever printed, logged or passed as a command-line argument. A service gets its secrets
through environment variables or a file of mode 0600.
"""

import secrets
import tomllib
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from configuration.errors import SettingsError
from configuration.settings import Settings
from configuration.templates import write_private


class Secrets(BaseModel):
    """All secrets; a key names the service, the user and the kind of secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    postgres_admin_password: str
    # Owners of the databases `catalog`, `superset`, `shop`, and readers of `catalog` and `shop`.
    postgres_catalog_password: str
    postgres_superset_password: str
    postgres_shop_password: str
    postgres_analyst_password: str
    postgres_debezium_password: str
    # Kafka's users; infra/services/kafka_access.py says what each may do.
    kafka_admin_password: str
    kafka_cli_password: str
    kafka_connect_password: str
    kafka_flink_password: str
    kafka_producer_password: str
    kafka_sender_password: str
    # Connect's REST API.
    connect_admin_password: str
    # Only MinIO and its setup step `buckets` get the object store's root key. Names of access keys
    # are random too, so that a hole in the store's signatures is of no use to who can't guess them.
    s3_root_access_key: str
    s3_root_secret_key: str
    s3_flink_access_key: str
    s3_flink_secret_key: str
    s3_trino_access_key: str
    s3_trino_secret_key: str
    s3_analyst_access_key: str
    s3_analyst_secret_key: str
    # Opens Flink's keystores, which hold the keys of its certificates.
    flink_keystore_password: str
    # For people who look at Flink's page.
    flink_operator_password: str
    trino_etl_password: str
    trino_dashboard_password: str
    trino_analyst_password: str
    trino_internal_secret: str
    superset_secret_key: str
    superset_admin_password: str
    superset_analyst_password: str
    superset_viewer_password: str


def load_secrets(settings: Settings) -> Secrets:
    """Read the secrets of this lakehouse.

    Raises:
        SettingsError: the file does not exist yet, or its keys are not those of `Secrets`.
    """
    file = settings.secrets_file
    try:
        return Secrets.model_validate(tomllib.loads(file.read_text()))
    except FileNotFoundError:
        raise SettingsError(f"{file}: no secrets yet; `make run` creates them") from None
    except ValueError:  # the original error would show the values
        raise SettingsError(
            f"{file}: invalid, or from another version; restore it, or run `make clean`"
        ) from None


def ensure_secrets(settings: Settings) -> Secrets:
    """Generate missing secrets, keep existing ones, and return all."""
    file = settings.secrets_file
    known = tomllib.loads(file.read_text()) if file.exists() else {}
    values = {name: known.get(name) or secrets.token_hex(20) for name in Secrets.model_fields}
    if values != known:
        write_private(file, format_secrets(values))
    return load_secrets(settings)


def format_secrets(values: Mapping[str, str]) -> str:
    """Format secrets as the TOML that `load_secrets` reads."""
    return "".join(f'{name} = "{value}"\n' for name, value in values.items())
