"""Bring Superset to the state that the files describe: schema, roles, users, assets.

Enters: the environment (superset_config.py, SUPERSET_ASSETS, the passwords of USERS) and a running
Trino. Leaves: Superset's own database. The result is the same after every run, whatever someone
edited in the browser before.

Everything runs in one process, because importing Superset alone takes seconds. The script skips
even that if neither the files nor the database changed since the last run.
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
# The role of each user, and the environment variable that holds the password.
USERS = {
    ADMIN: ("Admin", "SUPERSET_ADMIN_PASSWORD"),
    "analyst": ("Analyst", "SUPERSET_ANALYST_PASSWORD"),
    "viewer": ("Viewer", "SUPERSET_VIEWER_PASSWORD"),
}
# The connections that each role may use (assets/databases).
DATABASES = {"Analyst": ("lake", "lake (SQL)"), "Viewer": ("lake",)}
# Superset's built-in roles that make up Analyst: create charts and dashboards, use SQL Lab.
ANALYST_LIKE = ("Gamma", "sql_lab")
# A viewer needs these permissions in addition to Superset's public ones, to find the dashboards.
VIEWER_ALSO = {
    ("can_read", "SecurityRestApi"),  # the token that saving filters needs
    ("menu_access", "Dashboards"),
    ("menu_access", "Home"),
    ("can_userinfo", "UserDBModelView"),
    ("can_recent_activity", "Log"),
    ("can_log", "Superset"),  # each page reports what it shows; without it, Superset logs an error
    ("resetmypassword", "UserDBModelView"),
}


def main() -> None:
    """Provision, or report that there is nothing to do."""
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
    """Fingerprint of all that the result depends on: release, files, credentials."""
    digest = hashlib.sha256(version("apache-superset").encode())
    for file in [Path(__file__), CONFIG, *sorted(ASSETS.rglob("*.yaml"))]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    for name in ("SUPERSET_SECRET_KEY", *(variable for _, variable in USERS.values())):
        digest.update(hashlib.sha256(os.environ[name].encode()).digest())
    return digest.hexdigest()


def fingerprint_database(connection: Connection) -> str:
    """Fingerprint of the stored assets, which an edit in the browser changes; empty at first."""
    tables = ("dbs", "tables", "slices", "dashboards")
    if not all(sqlalchemy.inspect(connection).has_table(table) for table in tables):
        return ""
    rows = [
        connection.execute(sqlalchemy.text(f"select count(*), max(changed_on) from {table}")).one()
        for table in tables
    ]
    return repr([(count, str(changed_on)) for count, changed_on in rows])


def read_state(connection: Connection) -> tuple[str, str] | None:
    """Fingerprints of the files and of the database after the last run."""
    if not sqlalchemy.inspect(connection).has_table("tributary_provision"):
        return None
    row = connection.execute(
        sqlalchemy.text("select files, stored from tributary_provision")
    ).first()
    return None if row is None else (row.files, row.stored)


def write_state(connection: Connection, files: str, stored: str) -> None:
    """Store both fingerprints for the next run."""
    for statement in (
        "create table if not exists tributary_provision (files text, stored text)",
        "delete from tributary_provision",
        "insert into tributary_provision values (:files, :stored)",
    ):
        connection.execute(sqlalchemy.text(statement), {"files": files, "stored": stored})


def provision() -> None:
    """Migrate the database, import the assets over the stored ones, create roles and users."""
    # ruff: noqa: PLC0415 - importing Superset takes seconds, and its models need an application.
    import superset
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        from flask_migrate import upgrade
        from superset import appbuilder, security_manager
        from superset.commands.exceptions import CommandInvalidError, ImportFailedError
        from superset.commands.importers.v1.assets import ImportAssetsCommand
        from superset.utils.core import override_user

        upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        with override_user(ensure_user(security_manager, ADMIN)):
            try:
                ImportAssetsCommand(
                    {
                        str(file.relative_to(ASSETS)): file.read_text()
                        for file in sorted(ASSETS.rglob("*.yaml"))
                    }
                ).run()
            except ImportFailedError as error:
                # Superset's own message is "Import failed for an unknown reason".
                cause = error.__cause__
                invalid = isinstance(cause, CommandInvalidError)
                sys.exit(f"{ASSETS}: {cause.normalized_messages() if invalid else repr(cause)}")
        ensure_roles(security_manager)
        for name in USERS:
            ensure_user(security_manager, name)


def ensure_roles(security_manager: Any) -> None:
    """Give Analyst and Viewer exactly these permissions. The connections must exist by now."""
    given = {
        "Analyst": {
            permission
            for name in ANALYST_LIKE
            for permission in security_manager.find_role(name).permissions
        },
        "Viewer": {
            security_manager.find_permission_view_menu(*names)
            for names in security_manager.PUBLIC_ROLE_PERMISSIONS | VIEWER_ALSO
        },
    }
    for name, permissions in given.items():
        role = security_manager.add_role(name)
        role.permissions = [
            *filter(None, permissions),
            *(find_access(security_manager, database) for database in DATABASES[name]),
        ]
    security_manager.session.commit()


def find_access(security_manager: Any, database_name: str) -> Any:
    """The permission to use a connection."""
    from superset.models.core import Database

    database = security_manager.session.query(Database).filter_by(database_name=database_name).one()
    return security_manager.add_permission_view_menu("database_access", database.perm)


def ensure_user(security_manager: Any, name: str) -> Any:
    """A user with exactly one role and the password from the environment."""
    role_name, variable = USERS[name]
    role = security_manager.find_role(role_name)
    password = os.environ[variable]
    user = security_manager.find_user(name)
    if user is None:
        return security_manager.add_user(
            name, "Lakehouse", role_name, f"{name}@localhost.invalid", role, password=password
        )
    if user.roles != [role]:
        user.roles = [role]
        security_manager.update_user(user)
    if not security_manager.auth_user_db(name, password):
        security_manager.reset_password(user.id, password)
    return user


if __name__ == "__main__":
    sys.exit(main())
