"""PostgreSQL: the databases of the catalog, the shop and Superset, each with its own owner."""

from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from infra.services.model import FirstRun, Lakehouse, Service, SetupStep
from infra.services.probes import PostgresProbe

POSTGRES_ADMIN = "postgres"
# Every connection needs a password, also for replication.
POSTGRES_ACCESS = """\
host all all all scram-sha-256
host replication all all scram-sha-256
"""


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
        files={password_file: password, access_file: POSTGRES_ACCESS},
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


def ensure_databases(lakehouse: Lakehouse) -> None:
    """Create the databases of catalog, Superset and shop, their owners, and two reading users.

    Passwords are set at each call, so they match the secrets.
    """
    secrets = lakehouse.secrets
    owners = {
        "catalog": secrets.postgres_catalog_password,
        "superset": secrets.postgres_superset_password,
        "shop": secrets.postgres_shop_password,
    }
    with closing(connect_postgres(lakehouse)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        readers = {
            "analyst": secrets.postgres_analyst_password,
            "debezium": secrets.postgres_debezium_password,
        }
        for name, password in {**owners, **readers}.items():
            _ensure(cursor, "pg_roles", "rolname", name, "create role {name} login")
            cursor.execute(
                sql.SQL("alter role {name} password {password}").format(
                    name=sql.Identifier(name), password=sql.Literal(password)
                )
            )
        for name in owners:
            _ensure(cursor, "pg_database", "datname", name, "create database {name} owner {name}")
            cursor.execute(
                sql.SQL("revoke connect on database {name} from public").format(
                    name=sql.Identifier(name)
                )
            )
        cursor.execute("grant connect on database catalog to analyst")
        cursor.execute("grant connect on database shop to debezium")
        cursor.execute("alter role debezium replication")
    _let_analyst_read_catalog(lakehouse)


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
