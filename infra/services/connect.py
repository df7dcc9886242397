"""Kafka Connect and the change capture: every change of the shop's tables as a message.

Debezium, a connector in Kafka Connect, reads PostgreSQL's log through a replication slot. The slot
stores how far Debezium has read. Connect writes messages and its position in one Kafka transaction,
so a consumer of committed messages sees each change exactly once, even if a process is killed.
PostgreSQL keeps its log until Debezium has read it: while Connect is down nothing is lost, but the
disk fills up.
"""

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from psycopg2 import sql

from configuration import REPOSITORY
from configuration.environment import connect_environment
from configuration.errors import ServiceError
from configuration.kafka_client import MECHANISM, PROTOCOL, kafka_jaas
from configuration.secrets import Secrets
from configuration.templates import render
from configuration.waiting import poll, wait_until
from flink_jobs.lake_tables import CHANGES, shop_columns
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
SHOP_TABLES = tuple(CHANGES)
TABLE_DEFINITIONS = REPOSITORY / "producer/shop_tables"
# Names of the worker's own topics and transactions begin with it (worker.properties).
CONNECT_GROUP = "connect"
CONNECTOR = "shop"
CONNECTOR_FILE = CONNECT_FILES / "shop.properties"
PUBLICATION = "shop_changes"
SLOT = "shop_changes"
REST_USER = "admin"
CAUSED_BY = "Caused by: "
REQUEST_SECONDS = 90  # Connect answers only after the connector has validated its configuration
START_SECONDS = 120
# If the cause of a failure is still there, a restarted connector fails within seconds. After this
# long without a failure, three times housekeeping's interval, it has recovered.
RECOVERED_SECONDS = 60


@dataclass(frozen=True)
class ConnectorState:
    """State of the connector and its task: `running`, `failed`, `starting` or `not registered`.

    `reason` is the cause of the failure, if it failed. `make status` also uses the states
    `not answering` and `failing`: it failed a moment ago and was restarted.
    """

    state: str
    reason: str = ""


@dataclass(frozen=True)
class Failures:
    """Failures of the connector, none more than `RECOVERED_SECONDS` after the one before it.

    - `count`: how often housekeeping found it failed, and restarted it;
    - `first_at`, `last_at`: when, in ISO 8601, UTC;
    - `reason`: the cause of the last one.
    """

    count: int
    first_at: str
    last_at: str
    reason: str


@dataclass(frozen=True)
class SlotState:
    """State of the replication slot.

    - `is_active`: whether Debezium is connected to it;
    - `behind_bytes`: log that Debezium has not confirmed yet;
    - `retained_bytes`: log that PostgreSQL keeps for it.
    """

    is_active: bool
    behind_bytes: int
    retained_bytes: int


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the Kafka Connect worker, which runs the change capture."""
    address = lakehouse.settings.topology.connect
    file = lakehouse.configuration / "connect.properties"
    login = lakehouse.configuration / "connect-login.conf"
    users = lakehouse.configuration / "connect-users.properties"
    user, password = rest_login(lakehouse.secrets)
    archive = find_archive(lakehouse, "connect", 25, "connect")
    values = {
        "kafka_bootstrap_servers": lakehouse.settings.topology.kafka.authority,
        "kafka_protocol": PROTOCOL,
        "kafka_mechanism": MECHANISM,
        "kafka_jaas": kafka_jaas("connect", lakehouse.secrets.kafka_connect_password),
        "group": CONNECT_GROUP,
        "bind": lakehouse.bind(address.port),
        "host": address.host,
        "max_message_bytes": lakehouse.settings.pipeline.topics.max_message_bytes,
    }
    return Service(
        name="connect",
        command=[
            lakehouse.parts.java(25) / "bin/java",
            f"-Xmx{address.heap_mb}m",
            *SMALL_JVM,
            *archive_options(archive),
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={CONNECT_FILES / 'log4j2.properties'}",
            f"-Djava.security.auth.login.config={login}",
            # A connector's configuration may not bring its own reader of files or variables.
            "-Dorg.apache.kafka.automatic.config.providers=none",
            "-cp",
            f"{lakehouse.parts.root}/connect/*",
            "org.apache.kafka.connect.cli.ConnectDistributed",
            file,
        ],
        environment=connect_environment(lakehouse.secrets),
        files={
            file: render(CONNECT_FILES / "worker.properties", values),
            login: render(CONNECT_FILES / "login.conf", {"users": users}),
            users: f"{user}={password}\n",
        },
        probe=HttpProbe(f"{address.url}/health", user, password),
        archive=archive,
        ports=("connect.port",),
        after=("kafka-users",),
    )


def rest_login(secrets: Secrets) -> tuple[str, str]:
    """Return the user and the password of Connect's REST API."""
    return REST_USER, secrets.connect_admin_password


def ensure_shop_tables(lakehouse: Lakehouse) -> None:
    """Create the shop's tables, owned by `shop`, and let Debezium read their changes."""
    with closing(connect_postgres(lakehouse, "shop")) as connection, connection:
        cursor = connection.cursor()
        cursor.execute("set role shop")
        for table in SHOP_TABLES:
            cursor.execute((TABLE_DEFINITIONS / f"{table}.sql").read_text())
            # Log all columns of a deleted row, not only its key.
            cursor.execute(f"alter table {table} replica identity full")
        cursor.execute("reset role")
        tables = ", ".join(SHOP_TABLES)
        # A truncate would delete rows without a change message for each row.
        cursor.execute(f"revoke truncate on {tables} from shop")
        cursor.execute(f"grant select on {tables} to debezium")
        cursor.execute("select 1 from pg_publication where pubname = %s", [PUBLICATION])
        name = sql.Identifier(PUBLICATION)
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("create publication {name}").format(name=name))
        change = f"alter publication {{name}} set table {tables}"
        cursor.execute(sql.SQL(change).format(name=name))


def ensure_connector(lakehouse: Lakehouse) -> None:
    """Register the connector if its configuration differs, and wait until it runs.

    Raises:
        ServiceError: Connect rejects the configuration, or the connector does not run; the message
            includes Connect's reason.
    """
    wanted = _configuration(lakehouse)
    if _request(lakehouse, "GET", "/config") != wanted:
        _request(lakehouse, "PUT", "/config", wanted)
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
            f"{error}; its state is {state.state} {state.reason}; see `make logs SERVICE=connect`"
        ) from None


def restart_if_failed(lakehouse: Lakehouse) -> bool:
    """Restart a failed connector or task, note its failure, and return whether one had failed.

    Connect does not restart them itself.
    """
    connector = read_connector(lakehouse)
    is_failed = connector.state == "failed"
    if is_failed:
        _note_failure(lakehouse, connector.reason)
        _request(lakehouse, "POST", "/restart?includeTasks=true&onlyFailed=true")
    return is_failed


def _note_failure(lakehouse: Lakehouse, reason: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    before = read_failures(lakehouse)
    failures = Failures(
        count=before.count + 1 if before else 1,
        first_at=before.first_at if before else now,
        last_at=now,
        reason=reason,
    )
    _failures_file(lakehouse).write_text(json.dumps(asdict(failures)))


def read_failures(lakehouse: Lakehouse) -> Failures | None:
    """Return the failures that the connector has not recovered from; None if it is well."""
    file = _failures_file(lakehouse)
    if not file.exists():
        return None
    failures = Failures(**json.loads(file.read_text()))
    age = datetime.now(UTC) - datetime.fromisoformat(failures.last_at)
    return failures if age < timedelta(seconds=RECOVERED_SECONDS) else None


def _failures_file(lakehouse: Lakehouse) -> Path:
    return lakehouse.data / "capture.failures.json"


def read_connector(lakehouse: Lakehouse) -> ConnectorState:
    """Return the worse state of connector and task; a connector without a task is `starting`."""
    status = _request(lakehouse, "GET", "/status")
    if status is None:
        return ConnectorState("not registered")
    parts = [status["connector"], *status["tasks"]]
    for part in parts:
        if part["state"] == "FAILED":
            return ConnectorState("failed", _find_cause(part.get("trace", "")))
    is_running = status["tasks"] and all(part["state"] == "RUNNING" for part in parts)
    return ConnectorState("running" if is_running else "starting")


def _find_cause(trace: str) -> str:
    """Return the innermost cause of a stack trace; the first line only says that a task failed."""
    first, *others = trace.splitlines() or [""]
    causes = [line for line in others if line.startswith(CAUSED_BY)]
    return causes[-1].removeprefix(CAUSED_BY) if causes else first


def read_slot(lakehouse: Lakehouse) -> SlotState | None:
    """Read the slot's state from PostgreSQL; None before the connector's first start."""
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


def read_missing_columns(lakehouse: Lakehouse) -> list[str]:
    """Return the columns, such as `users.country`, that the job reads and the shop does not have.

    Whoever renames a column makes it null in every later change.
    """
    with closing(connect_postgres(lakehouse, "shop")) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "select table_name, column_name from information_schema.columns"
            " where table_schema = 'public'"
        )
        present = set(cursor.fetchall())
    return [
        f"{table}.{column}"
        for table in SHOP_TABLES
        for column in shop_columns(table)
        if (table, column) not in present
    ]


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
            # Debezium counts UTF-16 units, of which a character has up to two.
            "cut_at": 2 * lakehouse.settings.pipeline.changes.max_characters + 1,
        },
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = (line.partition("=") for line in lines)
    return {"name": CONNECTOR, **{key: value for key, _, value in pairs}}


def _request(
    lakehouse: Lakehouse, method: str, path: str, body: dict[str, str] | None = None
) -> Any | None:
    """Call Connect's REST API for our connector; return None if the connector does not exist.

    Retries while Connect answers 409, because it is rebalancing its work.

    Raises:
        ServiceError: Connect does not answer, or rejects the request.
    """
    url = f"{lakehouse.settings.topology.connect.url}/connectors/{CONNECTOR}{path}"
    try:
        reply = poll(
            lambda: requests.request(
                method,
                url,
                json=body,
                auth=rest_login(lakehouse.secrets),
                timeout=REQUEST_SECONDS,
            ),
            lambda reply: reply.status_code != requests.codes.conflict,
            START_SECONDS,
        )
    except requests.RequestException as error:
        raise ServiceError(
            f"Connect at {url} does not answer: {type(error).__name__}; see its log"
        ) from None
    if reply.status_code == requests.codes.conflict:
        raise ServiceError(f"Connect at {url} was busy for {START_SECONDS} s; see its log")
    if reply.status_code == requests.codes.unauthorized:
        raise ServiceError(
            f"Connect at {url} refuses connect_admin_password of secrets.toml: it started with"
            " another one; restart Connect"
        )
    if reply.status_code == requests.codes.not_found:
        return None
    if not reply.ok:
        message = reply.json().get("message", reply.reason)
        raise ServiceError(f"Connect rejects the connector {CONNECTOR}: {message}")
    return reply.json() if reply.content else {}


SETUP_STEPS = (
    SetupStep("shop-tables", ensure_shop_tables, ("databases",)),
    SetupStep("change-capture", ensure_connector, ("connect", "topics", "shop-tables")),
)
