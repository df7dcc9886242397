"""One-shot steps between the services' starts: databases, buckets, users, topics, tables.

Each can run again and again with the same result, and fails loudly.
"""

import json
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from psycopg2 import sql
from psycopg2.extensions import cursor

from flink_jobs.lake_tables import create_tables, open_catalog
from infra.change_capture import SHOP_TABLES
from infra.secrets import Secrets
from infra.services import S3_ROOT, Lakehouse, connect_postgres
from infra.settings import REPOSITORY, S3Address
from infra.templates import render
from infra.trino_identity import ensure_trino_identity

POLICIES = REPOSITORY / "minio/policies"
TOPIC_SECONDS = 30
LOG_WARNING = 4  # of syslog's levels, which librdkafka uses
HOUR_MS = 3_600_000


def ensure_databases(lakehouse: Lakehouse) -> None:
    """A database each for the catalog, Superset and the shop, owned by a user of its own."""
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
    """Run `create ...` unless PostgreSQL's own catalog lists `name`."""
    query = sql.SQL("select 1 from {catalog} where {column} = {name}").format(
        catalog=sql.Identifier(catalog), column=sql.Identifier(column), name=sql.Literal(name)
    )
    cursor.execute(query)
    if cursor.fetchone() is None:
        cursor.execute(sql.SQL(statement).format(name=sql.Identifier(name)))


def ensure_buckets(lakehouse: Lakehouse) -> None:
    """Both buckets, and a user of its own with its own policy for each service."""
    address = lakehouse.settings.topology.s3
    lake = lakehouse.settings.meanings.lake
    secrets = lakehouse.secrets
    server = store_as_root(address, secrets)
    client = Minio(**server)
    for bucket in (lake.bucket, lake.state_bucket):
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    admin = MinioAdmin(**server)
    users = {
        "flink": (secrets.s3_flink_secret_key, {"bucket", "state_bucket"}),
        "trino": (secrets.s3_trino_secret_key, {"bucket"}),
        "analyst": (secrets.s3_analyst_secret_key, {"bucket"}),
    }
    for user, (secret_key, names) in users.items():
        values = lake.model_dump(include=names)
        admin.policy_add(user, policy=json.loads(render(POLICIES / f"{user}.json", values)))
        admin.user_add(user, secret_key)
        admin.policy_set(user, user=user)


def store_as_root(address: S3Address, secrets: Secrets) -> dict[str, Any]:
    """How MinIO's clients reach the store with its root key."""
    return {
        "endpoint": address.authority,
        "region": address.region,
        "secure": False,
        "credentials": StaticProvider(S3_ROOT, secrets.s3_root_secret_key),
    }


def ensure_topics(lakehouse: Lakehouse) -> None:
    """Every topic, with the partitions and the retention of the settings."""
    topics = lakehouse.settings.meanings.topics
    # Warnings only: what the client says of its own end is nobody's news.
    servers = lakehouse.settings.topology.kafka.authority
    admin = AdminClient({"bootstrap.servers": servers, "log_level": LOG_WARNING})
    known = admin.list_topics(timeout=TOPIC_SECONDS).topics
    configuration = {
        "retention.ms": str(topics.retention_hours * HOUR_MS),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(topics.max_message_bytes),
    }
    wanted = {topics.clickstream: topics.partitions, topics.checkouts: topics.partitions}
    wanted |= {topics.changes(table): 1 for table in SHOP_TABLES}
    for name, partitions in wanted.items():
        if name not in known:
            new = NewTopic(name, partitions, 1, config=configuration)
            _await_all(admin.create_topics([new]))
        elif len(known[name].partitions) < partitions:
            _await_all(admin.create_partitions([NewPartitions(name, partitions)]))


def _await_all(futures: dict[str, Future[None]]) -> None:
    for future in futures.values():
        future.result(TOPIC_SECONDS)


def ensure_lake_tables(lakehouse: Lakehouse) -> None:
    """The catalog's own tables, namespaces, and every table that Flink writes."""
    create_tables(open_catalog(lakehouse.settings, lakehouse.secrets))


def ensure_identity(lakehouse: Lakehouse) -> None:
    """Trino's certificate and its users' passwords."""
    ensure_trino_identity(lakehouse.settings, lakehouse.secrets, datetime.now(UTC))
