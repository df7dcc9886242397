"""PostgreSQL: the databases of the catalog, the shop and Superset, each with its own owner.

A role may connect to its own database only. Two rules say so, each of which would do: the server's
list of who may log in where (pg_hba.conf), and the right to connect, which only these roles have.
"""

from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from infra.services.model import FirstRun, Lakehouse, Service, SetupStep
from infra.services.probes import PostgresProbe

POSTGRES_ADMIN = "postgres"
# Who may connect to each database: its owner, which has its name, and who else reads it.
READERS = {"catalog": ("analyst",), "shop": ("debezium",), "superset": ()}
# Databases that every server has; by default every role may connect to them.
BUILT_IN_DATABASES = ("postgres", "template1")


def connect_postgres(lakehouse: Lakehouse, database: str = POSTGRES_ADMIN) -> connection:
    """Connect as the administrator of the database server."""
    address = lakehouse.settings.topology.postgres
    return psycopg2.connect(
        host=address.host,
        port=address.port,
        dbname=database,
        user=POSTGRES_ADMIN,
        password=lakehouse.secrets.postgres_admin_password,
        connect_timeout=5,
    )


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the database server; its log has the detail that change capture needs."""
    home = lakehouse.home  # set if root runs us: PostgreSQL refuses to run as root
    program = home.program if home else lakehouse.parts.root / "postgres"
    data = home.data if home else lakehouse.data / "postgres"
    configuration = home.folder if home else lakehouse.configuration
    address = lakehouse.settings.topology.postgres
    password = lakehouse.secrets.postgres_admin_password
    password_file = configuration / "postgres-password"
    access_file = configuration / "pg_hba.conf"
    options = {
        "hba_file": access_file,
        "listen_addresses": lakehouse.settings.topology.network.bind_host,
        "port": address.port,
        "unix_socket_directories": "",
        "wal_level": "logical",  # for change data capture
        "shared_buffers": "64MB",
        "max_connections": 60,
    }
    arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    return Service(
        name="postgres",
        command=[program / "bin/postgres", "-D", data, *arguments],
        environment={},
        home=home,
        directory=home.folder if home else None,
        files={password_file: password, access_file: render_access()},
        first_run=_create_cluster(program, data, password_file),
        probe=PostgresProbe(address.host, address.port, POSTGRES_ADMIN, password),
        ports=("postgres.port",),
        stop_signal="INT",  # fast shutdown: ends sessions and writes a checkpoint
    )


def _create_cluster(program: Path, data: Path, password_file: Path) -> FirstRun:
    scratch = data.with_name(f"{data.name}.new")
    return FirstRun(
        command=[
            program / "bin/initdb",
            "-D",
            scratch,
            "-U",
            POSTGRES_ADMIN,
            "--pwfile",
            password_file,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ],
        leaves=data,
        scratch=scratch,
    )


def render_access() -> str:
    """Render pg_hba.conf: who may connect to which database, always with a password.

    No line names the keyword `replication`, so nobody opens a connection of physical replication.
    Debezium's connection is one of logical replication, which counts as one to its database. Over
    that PostgreSQL sends the whole server to each role that may replicate, and no setting forbids
    it. So only Connect gets Debezium's password.
    """
    allowed = {"all": (POSTGRES_ADMIN,), **{name: (name, *READERS[name]) for name in READERS}}
    return "".join(
        f"host {database} {','.join(roles)} all scram-sha-256\n"
        for database, roles in allowed.items()
    )


def ensure_databases(lakehouse: Lakehouse) -> None:
    """Create the databases of catalog, Superset and shop, their owners, and two reading users.

    Passwords are set at each call, so they match the secrets. A server that runs already applies
    pg_hba.conf as it is now.
    """
    secrets = lakehouse.secrets
    passwords = {
        "catalog": secrets.postgres_catalog_password,
        "superset": secrets.postgres_superset_password,
        "shop": secrets.postgres_shop_password,
        "analyst": secrets.postgres_analyst_password,
        "debezium": secrets.postgres_debezium_password,
    }
    with closing(connect_postgres(lakehouse)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for name, password in passwords.items():
            _ensure(cursor, "pg_roles", "rolname", name, "create role {name} login")
            cursor.execute(
                sql.SQL("alter role {name} password {password}").format(
                    name=sql.Identifier(name), password=sql.Literal(password)
                )
            )
        for name in READERS:
            _ensure(cursor, "pg_database", "datname", name, "create database {name} owner {name}")
        _restrict_connections(cursor)
        cursor.execute("alter role debezium replication")
        cursor.execute("select pg_reload_conf()")
    _let_analyst_read_catalog(lakehouse)


def _restrict_connections(cursor: cursor) -> None:
    """Let only a database's owner and its readers connect to it."""
    for database in (*BUILT_IN_DATABASES, *READERS):
        cursor.execute(f"revoke connect on database {database} from public")
    for database, readers in READERS.items():
        for reader in readers:
            cursor.execute(f"grant connect on database {database} to {reader}")


def _let_analyst_read_catalog(lakehouse: Lakehouse) -> None:
    with closing(connect_postgres(lakehouse, "catalog")) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("grant usage on schema public to analyst")
        cursor.execute("grant select on all tables in schema public to analyst")
        cursor.execute(
            "alter default privileges for role catalog in schema public"
            " grant select on tables to analyst"
        )


def _ensure(cursor: cursor, catalog: str, column: str, name: str, statement: str) -> None:
    """Run the `create` statement unless `catalog`, a PostgreSQL system table, lists `name`."""
    query = sql.SQL("select 1 from {catalog} where {column} = {name}").format(
        catalog=sql.Identifier(catalog), column=sql.Identifier(column), name=sql.Literal(name)
    )
    cursor.execute(query)
    if cursor.fetchone() is None:
        cursor.execute(sql.SQL(statement).format(name=sql.Identifier(name)))


SETUP_STEPS = (SetupStep("databases", ensure_databases, ("postgres",)),)
