"""Bring Superset to the state that the files say: schema, roles, admin, assets. Idempotent.

Enters: the environment (superset_config.py, SUPERSET_ASSETS, SUPERSET_ADMIN_PASSWORD) and a
Trino that answers. Leaves: Superset's own database, the same after every run, whatever was
edited in the browser before. One process, since importing Superset alone takes seconds; and
none of that when the database already is what the last run left and the files are the same.
"""

import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection

ASSETS = Path(os.environ["SUPERSET_ASSETS"])
CONFIG = Path(os.environ["SUPERSET_CONFIG_PATH"])
ADMIN = "admin"


def main() -> None:
    """Provision, or say that there is nothing to do."""
    os.umask(0o077)
    engine = sqlalchemy.create_engine(os.environ["SUPERSET_METADATA_URI"])
    wanted = fingerprint_files()
    with engine.begin() as connection:
        if read_state(connection) == (wanted, fingerprint_database(connection)):
            print("superset: provisioned already")  # noqa: T201
            return
    provision()
    with engine.begin() as connection:
        write_state(connection, wanted, fingerprint_database(connection))
    print("superset: provisioned")  # noqa: T201


def fingerprint_files() -> str:
    """Of all that the outcome depends on: release, configuration, assets, credentials."""
    digest = hashlib.sha256(version("apache-superset").encode())
    for file in [Path(__file__), CONFIG, *sorted(ASSETS.rglob("*.yaml"))]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    for name in ("SUPERSET_SECRET_KEY", "SUPERSET_ADMIN_PASSWORD"):
        digest.update(hashlib.sha256(os.environ[name].encode()).digest())
    return digest.hexdigest()


def fingerprint_database(connection: Connection) -> str:
    """Of the assets as they are stored: an edit in the browser changes it; empty before all."""
    tables = ("dbs", "tables", "slices", "dashboards")
    if not all(sqlalchemy.inspect(connection).has_table(table) for table in tables):
        return ""
    rows = [
        connection.execute(sqlalchemy.text(f"select count(*), max(changed_on) from {table}")).one()
        for table in tables
    ]
    return repr([(count, str(changed_on)) for count, changed_on in rows])


def read_state(connection: Connection) -> tuple[str, str] | None:
    """What the last run left: the files' fingerprint and the database's."""
    if not sqlalchemy.inspect(connection).has_table("tributary_provision"):
        return None
    row = connection.execute(
        sqlalchemy.text("select files, stored from tributary_provision")
    ).first()
    return None if row is None else (row.files, row.stored)


def write_state(connection: Connection, files: str, stored: str) -> None:
    """Keep both fingerprints for the next run."""
    for statement in (
        "create table if not exists tributary_provision (files text, stored text)",
        "delete from tributary_provision",
        "insert into tributary_provision values (:files, :stored)",
    ):
        connection.execute(sqlalchemy.text(statement), {"files": files, "stored": stored})


def provision() -> None:
    """Migrate, synchronize roles, make the admin, import the assets over what is there."""
    # ruff: noqa: PLC0415 - Superset costs seconds to import, and its models need an application.
    import superset
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        from flask_migrate import upgrade
        from superset import appbuilder, security_manager
        from superset.commands.importers.v1.assets import ImportAssetsCommand
        from superset.utils.core import override_user

        upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        with override_user(ensure_admin(security_manager)):
            ImportAssetsCommand(
                {
                    str(file.relative_to(ASSETS)): file.read_text()
                    for file in sorted(ASSETS.rglob("*.yaml"))
                }
            ).run()


def ensure_admin(security_manager: Any) -> Any:
    """The one user, with the password of the environment."""
    password = os.environ["SUPERSET_ADMIN_PASSWORD"]
    user = security_manager.find_user(ADMIN)
    if user is None:
        role = security_manager.find_role("Admin")
        return security_manager.add_user(
            ADMIN, "Lakehouse", "Admin", "admin@localhost.invalid", role, password=password
        )
    if not security_manager.auth_user_db(ADMIN, password):
        security_manager.reset_password(user.id, password)
    return user


if __name__ == "__main__":
    sys.exit(main())
