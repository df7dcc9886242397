"""PostgreSQL: each role reaches its own database only, and none copies the server physically."""

from contextlib import closing

import psycopg2
import pytest
from psycopg2.extras import PhysicalReplicationConnection

from infra.services.model import Lakehouse
from infra.services.postgres import connect_postgres
from tests.support.clients import log_in
from tests.support.lakehouses import RunningLakehouse

ROLES = ("analyst", "catalog", "debezium", "shop", "superset")
DATABASES = ("catalog", "postgres", "shop", "superset", "template1")
ALLOWED = {
    ("analyst", "catalog"),
    ("catalog", "catalog"),
    ("debezium", "shop"),
    ("shop", "shop"),
    ("superset", "superset"),
}
REFUSED = [(role, name) for role in ROLES for name in DATABASES if (role, name) not in ALLOWED]


@pytest.mark.parametrize(("role", "database"), sorted(ALLOWED))
def test_role_connects_to_its_own_database(
    lakehouse: RunningLakehouse, role: str, database: str
) -> None:
    psycopg2.connect(**log_in(lakehouse, role, database)).close()


@pytest.mark.parametrize(("role", "database"), REFUSED)
def test_server_refuses_a_role_at_any_other_database(
    lakehouse: RunningLakehouse, role: str, database: str
) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg2.connect(**log_in(lakehouse, role, database))


def test_no_role_has_the_right_to_connect_to_any_other_database(own: Lakehouse) -> None:
    """This right alone would do if pg_hba.conf were replaced."""
    with closing(connect_postgres(own)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select rolname, datname from pg_roles, pg_database"
            " where rolname = any(%s) and datname = any(%s)"
            " and has_database_privilege(rolname, datname, 'connect')",
            [list(ROLES), list(DATABASES)],
        )
        assert set(cursor.fetchall()) == ALLOWED


@pytest.mark.parametrize("role", ROLES)
def test_server_refuses_a_wrong_password(lakehouse: RunningLakehouse, role: str) -> None:
    [database] = [name for each, name in ALLOWED if each == role]
    for password in ("wrong", role):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(**{**log_in(lakehouse, role, database), "password": password})


def test_server_refuses_physical_replication(lakehouse: RunningLakehouse) -> None:
    """The tool pg_basebackup would copy every database over such a connection."""
    parameters = log_in(lakehouse, "debezium", "shop")
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba\.conf entry for replication"):
        psycopg2.connect(**parameters, connection_factory=PhysicalReplicationConnection)
