"""Secrets: random, made once at the first start, kept in one file of mode 0600.

Nothing here is ever printed, logged or put into a process's arguments; services get theirs
through their environment or a file of mode 0600.
"""

import secrets
import tomllib
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from configuration.errors import SettingsError
from configuration.settings import Settings
from configuration.templates import write_private


class Secrets(BaseModel):
    """One random secret each; the name says whose, and of what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    postgres_admin_password: str
    # Owners of the databases `catalog`, `superset`, `shop`, and readers of `catalog` and `shop`.
    postgres_catalog_password: str
    postgres_superset_password: str
    postgres_shop_password: str
    postgres_analyst_password: str
    postgres_debezium_password: str
    # The object store's root key is for the init step alone.
    s3_root_secret_key: str
    s3_flink_secret_key: str
    s3_trino_secret_key: str
    s3_analyst_secret_key: str
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
        SettingsError: there are none yet, or the file was changed by hand.
    """
    file = settings.secrets_file
    try:
        return Secrets.model_validate(tomllib.loads(file.read_text()))
    except FileNotFoundError:
        raise SettingsError(f"{file}: no secrets yet; `make run` makes them") from None
    except ValueError:  # never shows the values
        raise SettingsError(
            f"{file}: not the keys that this version has; restore it, or `make clean`"
        ) from None


def ensure_secrets(settings: Settings) -> Secrets:
    """Make what is missing, keep what is there, and return all of it."""
    file = settings.secrets_file
    known = tomllib.loads(file.read_text()) if file.exists() else {}
    values = {name: known.get(name) or secrets.token_hex(20) for name in Secrets.model_fields}
    if values != known:
        write_private(file, format_secrets(values))
    return load_secrets(settings)


def format_secrets(values: Mapping[str, str]) -> str:
    """As `load_secrets` reads them."""
    return "".join(f'{name} = "{value}"\n' for name, value in values.items())
