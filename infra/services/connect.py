"""Kafka Connect, and on it the change capture: every change of the shop's tables as a message.

Debezium, a connector on Kafka Connect, reads PostgreSQL's log through a replication slot, which
remembers how far it is. Messages and position are one transaction of Kafka's, so that a reader of
committed messages sees each change exactly once, whatever is killed. The log is kept until it was
read: nothing is lost while Connect is away, but the disk fills.
"""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import requests
from psycopg2 import sql
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from configuration import REPOSITORY
from configuration.environment import connect_environment
from configuration.errors import ServiceError
from configuration.templates import render
from infra.install.waiting import wait_until
from infra.services.model import (
    SMALL_JVM,
    Lakehouse,
    Service,
    SetupStep,
    archive_options,
    find_archive,
)
from infra.services.postgres import connect_postgres
from infra.services.probes import HttpProbe

CONNECT_FILES = REPOSITORY / "infra/connect"


SHOP_TABLES = ("users", "products", "ad_spend")
TABLE_DEFINITIONS = REPOSITORY / "producer/shop_tables"
CONNECTOR = "shop"
CONNECTOR_FILE = REPOSITORY / "infra/connect/shop.properties"
PUBLICATION = "shop_changes"
SLOT = "shop_changes"
REQUEST_SECONDS = 90  # Connect answers a new configuration when the connector has checked it
START_SECONDS = 120


@dataclass(frozen=True)
class ConnectorState:
    """The connector and its task: `running`, `failed`, ... and why, the first line of it."""

    state: str
    trace: str = ""


@dataclass(frozen=True)
class SlotState:
    """The replication slot: its reader, how far that is behind, and what is kept for it."""

    is_active: bool
    behind_bytes: int
    retained_bytes: int


def describe(lakehouse: Lakehouse) -> Service:
    """Kafka Connect, for the change capture; what it does there is change_capture.py's."""
    address = lakehouse.settings.topology.connect
    file = lakehouse.configuration / "connect.properties"
    archive = find_archive(lakehouse, "connect", 21, "connect")
    values = {
        "kafka_bootstrap_servers": lakehouse.settings.topology.kafka.authority,
        "bind": lakehouse.bind(address.port),
        "host": address.host,
        "max_message_bytes": lakehouse.settings.pipeline.topics.max_message_bytes,
    }
    return Service(
        name="connect",
        command=[
            lakehouse.parts.java(21) / "bin/java",
            f"-Xmx{address.heap_mb}m",
            *SMALL_JVM,
            *archive_options(archive),
            # Little runs often here: the second compiler would never earn what it costs.
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={CONNECT_FILES / 'log4j2.properties'}",
            "-cp",
            f"{lakehouse.parts.root}/connect/*",
            "org.apache.kafka.connect.cli.ConnectDistributed",
            file,
        ],
        environment=connect_environment(lakehouse.secrets),
        files={file: render(CONNECT_FILES / "worker.properties", values)},
        probe=HttpProbe(f"{address.url}/health"),
        archive=archive,
        ports=("connect.port",),
        after=("kafka",),
    )


def ensure_shop_tables(lakehouse: Lakehouse) -> None:
    """The shop's tables, owned by the shop, and what Debezium needs to read their changes."""
    with closing(connect_postgres(lakehouse, "shop")) as connection, connection:
        cursor = connection.cursor()
        cursor.execute("set role shop")
        for table in SHOP_TABLES:
            cursor.execute((TABLE_DEFINITIONS / f"{table}.sql").read_text())
            # A deleted row's change has all of its columns, not only its key.
            cursor.execute(f"alter table {table} replica identity full")
        cursor.execute("reset role")
        tables = ", ".join(SHOP_TABLES)
        # To truncate changes no row that a reader of changes could be told of.
        cursor.execute(f"revoke truncate on {tables} from shop")
        cursor.execute(f"grant select on {tables} to debezium")
        cursor.execute("select 1 from pg_publication where pubname = %s", [PUBLICATION])
        name = sql.Identifier(PUBLICATION)
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("create publication {name}").format(name=name))
        change = f"alter publication {{name}} set table {tables}"
        cursor.execute(sql.SQL(change).format(name=name))


def ensure_connector(lakehouse: Lakehouse) -> None:
    """Register the connector unless it is as it should be, and wait until it runs.

    Raises:
        ServiceError: Connect refuses the configuration, or the connector fails; with its words.
    """
    wanted = _configuration(lakehouse)
    if _ask(lakehouse, "GET", "/config") != wanted:
        _ask(lakehouse, "PUT", "/config", wanted)
    restart_if_failed(lakehouse)
    try:
        wait_until(
            lambda: read_connector(lakehouse).state == "running",
            START_SECONDS,
            f"the connector {CONNECTOR} to run",
        )
    except ServiceError as error:
        state = read_connector(lakehouse)
        raise ServiceError(
            f"{error}; it is {state.state} {state.trace}; `make logs SERVICE=connect`"
        ) from None


def restart_if_failed(lakehouse: Lakehouse) -> bool:
    """Start a failed connector or task again, which Connect does not do by itself."""
    is_failed = read_connector(lakehouse).state == "failed"
    if is_failed:
        _ask(lakehouse, "POST", "/restart?includeTasks=true&onlyFailed=true")
    return is_failed


def read_connector(lakehouse: Lakehouse) -> ConnectorState:
    """The worse of connector and task; a connector without a task yet is `starting`."""
    status = _ask(lakehouse, "GET", "/status")
    if status is None:
        return ConnectorState("not registered")
    parts = [status["connector"], *status["tasks"]]
    for part in parts:
        if part["state"] == "FAILED":
            return ConnectorState("failed", part.get("trace", "").partition("\n")[0])
    is_running = status["tasks"] and all(part["state"] == "RUNNING" for part in parts)
    return ConnectorState("running" if is_running else "starting")


def read_slot(lakehouse: Lakehouse) -> SlotState | None:
    """What PostgreSQL says of the slot; None before the first start of the connector."""
    with closing(connect_postgres(lakehouse)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            """
            select
                active,
                coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint,
                coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
            from pg_replication_slots
            where slot_name = %s
            """,
            [SLOT],
        )
        row = cursor.fetchone()
    return SlotState(*row) if row else None


def _configuration(lakehouse: Lakehouse) -> dict[str, str]:
    address = lakehouse.settings.topology.postgres
    text = render(
        CONNECTOR_FILE,
        {
            "postgres_host": address.host,
            "postgres_port": address.port,
            "tables": ",".join(f"public.{table}" for table in SHOP_TABLES),
            "topic_prefix": lakehouse.settings.pipeline.topics.changes_prefix,
            "publication": PUBLICATION,
            "slot": SLOT,
        },
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = (line.partition("=") for line in lines)
    return {"name": CONNECTOR, **{key: value for key, _, value in pairs}}


def _ask(
    lakehouse: Lakehouse, method: str, path: str, body: dict[str, str] | None = None
) -> Any | None:
    """Connect's answer about our connector; None where there is no such connector.

    Waits while Connect is about to assign its work (409).

    Raises:
        ServiceError: Connect does not answer, or refuses.
    """
    url = f"{lakehouse.settings.topology.connect.url}/connectors/{CONNECTOR}{path}"
    patience = Retrying(
        retry=retry_if_result(lambda reply: reply.status_code == requests.codes.conflict),
        stop=stop_after_delay(START_SECONDS),
        wait=wait_fixed(1),
    )
    try:
        reply = patience(requests.request, method, url, json=body, timeout=REQUEST_SECONDS)
    except requests.RequestException as error:
        raise ServiceError(f"Connect at {url}: {type(error).__name__}") from None
    except RetryError:
        raise ServiceError(f"Connect at {url} is busy for more than {START_SECONDS} s") from None
    if reply.status_code == requests.codes.not_found:
        return None
    if not reply.ok:
        message = reply.json().get("message", reply.reason)
        raise ServiceError(f"Connect refuses the connector {CONNECTOR}: {message}")
    return reply.json() if reply.content else {}


SETUP_STEPS = (
    SetupStep("shop-tables", ensure_shop_tables, ("databases",)),
    SetupStep("change-capture", ensure_connector, ("connect", "topics", "shop-tables")),
)
