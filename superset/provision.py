"""Bring Superset to the state that the files say: schema, roles, users, assets. Idempotent.

Enters: the environment (superset_config.py, SUPERSET_ASSETS, the passwords of USERS) and a
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
# Each user's role, and the variable of the password.
USERS = {
    ADMIN: ("Admin", "SUPERSET_ADMIN_PASSWORD"),
    "analyst": ("Analyst", "SUPERSET_ANALYST_PASSWORD"),
    "viewer": ("Viewer", "SUPERSET_VIEWER_PASSWORD"),
}
# The connections that a role may use (assets/databases).
DATABASES = {"Analyst": ("lake", "lake (SQL)"), "Viewer": ("lake",)}
# Superset's own roles that an analyst has together: makes charts and dashboards, types SQL.
ANALYST_LIKE = ("Gamma", "sql_lab")
# Beside what Superset holds anonymous visitors fit for, so that a viewer finds the dashboards.
VIEWER_ALSO = {
    ("can_read", "SecurityRestApi"),  # a token, which filters are remembered with
    ("menu_access", "Dashboards"),
    ("menu_access", "Home"),
    ("can_userinfo", "UserDBModelView"),
    ("can_recent_activity", "Log"),
    ("resetmypassword", "UserDBModelView"),
}


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
    for name in ("SUPERSET_SECRET_KEY", *(variable for _, variable in USERS.values())):
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
    """Migrate, import the assets over what is there, then make roles and users."""
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
        with override_user(ensure_user(security_manager, ADMIN)):
            ImportAssetsCommand(
                {
                    str(file.relative_to(ASSETS)): file.read_text()
                    for file in sorted(ASSETS.rglob("*.yaml"))
                }
            ).run()
        ensure_roles(security_manager)
        for name in USERS:
            ensure_user(security_manager, name)


def ensure_roles(security_manager: Any) -> None:
    """Analyst and Viewer, with just these permissions; the connections are there by now."""
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
    """The permission to read through a connection."""
    from superset.models.core import Database

    database = security_manager.session.query(Database).filter_by(database_name=database_name).one()
    return security_manager.add_permission_view_menu("database_access", database.perm)


def ensure_user(security_manager: Any, name: str) -> Any:
    """A user with its one role, and the password of the environment."""
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
