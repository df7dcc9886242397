"""`make status`, and the summary that `make run` prints at the end.

The report covers each service, the job, the change capture and each table. It is printed as tables
or as JSON.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import psutil
from rich.table import Table

from configuration.environment import FLINK_USER
from configuration.errors import ServiceError
from configuration.trino_client import connect_trino
from flink_jobs.cluster import Cluster
from flink_jobs.lake_tables import TABLES
from infra.install.progress import console
from infra.operations.offsets import read_progress
from infra.services.connect import (
    ConnectorState,
    Failures,
    SlotState,
    read_connector,
    read_failures,
    read_missing_columns,
    read_slot,
)
from infra.services.marts import Build, list_marts, read_builds
from infra.services.model import Lakehouse
from infra.services.registry import describe_services
from infra.topologies.supervision import Supervisor

Value = TypeVar("Value")


@dataclass(frozen=True)
class ServiceStatus:
    """One service; `memory_mb` is the memory of its process and its children."""

    name: str
    state: str
    pid: int | None
    port: int | None
    memory_mb: int
    uptime_seconds: int


@dataclass(frozen=True)
class JobStatus:
    """The attribution job; a value is None if the server that knows it does not answer."""

    state: str
    job_id: str | None
    checkpoint_age_seconds: float | None
    lag_messages: int | None
    lag_seconds: float | None


@dataclass(frozen=True)
class CaptureStatus:
    """The change capture: its connector and its replication slot in PostgreSQL.

    `failures` is None unless the connector failed a moment ago. `slot` is None before the
    connector's first start. `warning` is '' if all is well.
    """

    connector: ConnectorState
    failures: Failures | None
    slot: SlotState | None
    warning: str


@dataclass(frozen=True)
class TableStatus:
    """One table: the time and the age of its newest row."""

    name: str
    newest_row_at: str | None
    age_seconds: float | None


@dataclass(frozen=True)
class MartStatus:
    """One mart: its newest hour of event time, and its last build.

    `newest_hour` is None if the mart has no hours, or none of the last week. `error` is dbt's; ''
    if the build succeeded.
    """

    name: str
    newest_hour: str | None
    built_at: str | None
    age_seconds: float | None
    error: str


@dataclass(frozen=True)
class Status:
    """The whole report."""

    services: list[ServiceStatus]
    job: JobStatus | None
    capture: CaptureStatus | None
    tables: list[TableStatus]
    marts: list[MartStatus]


def read_status(lakehouse: Lakehouse) -> Status:
    """Ask the supervisor and each server; leave out those that don't answer.

    In containers the list of services is empty: `docker compose ps` shows them.
    """
    supervisor = Supervisor(lakehouse.settings)
    services = _read_services(lakehouse, supervisor) if supervisor.is_running() else []
    if not services and not lakehouse.settings.is_in_containers:
        return Status([], None, None, [], [])
    tables = _or_none(lambda: _read_tables(lakehouse)) or []
    newest = [table.age_seconds for table in tables if table.age_seconds is not None]
    return Status(
        services,
        _or_none(lambda: _read_job(lakehouse, min(newest, default=None))),
        _or_none(lambda: _read_capture(lakehouse)),
        tables,
        _or_none(lambda: _read_marts(lakehouse)) or [],
    )


def print_status(lakehouse: Lakehouse, *, as_json: bool) -> None:
    """Print the report to standard output."""
    status = read_status(lakehouse)
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(status), indent=2) + "\n")
        return
    if not status.services and not status.job:
        console.print("The lakehouse is not running: `make run` starts it.")
        return
    if status.services:
        console.print(_services_table(status.services))
    if status.job:
        console.print(_job_line(status.job))
    if status.capture:
        console.print(_capture_line(status.capture))
    if status.tables:
        console.print(_tables_table(status.tables))
    if status.marts:
        console.print()
        console.print(_marts_table(status.marts))


@dataclass(frozen=True)
class Commands:
    """The commands that users need in one topology."""

    environment: str
    admin_environment: str
    sender_environment: str
    prompt: str
    try_next: str
    inner_ports: str


NATIVE = Commands(
    environment="make env",
    admin_environment="make env ROLE=admin",
    sender_environment="make env ROLE=sender",
    prompt="make sql",
    try_next="make status    make sql QUERY=trino/queries/01_earned_in_the_last_hour.sql"
    '    make logs SERVICE=producer    eval "$(make -s env)"    make stop',
    inner_ports="loopback only",
)
CONTAINERS = Commands(
    environment="docker compose run --rm cli env",
    admin_environment="docker compose run --rm cli env admin",
    sender_environment="docker compose run --rm cli env sender",
    prompt="docker compose run --rm sql",
    try_next="docker compose ps    docker compose run --rm cli status"
    "    docker compose logs -f producer    make down",
    inner_ports="loopback, with --profile dev",
)


def print_welcome(lakehouse: Lakehouse) -> None:
    """Print the address of each service, how to log in, and what to try next."""
    commands = CONTAINERS if lakehouse.settings.is_in_containers else NATIVE
    topology = lakehouse.settings.published
    table = Table(box=None, pad_edge=False)
    for column in ("what", "where", "log in as"):
        table.add_column(column)
    dashboard = f"{topology.superset.url}/superset/dashboard/last-hour/"
    dashboard_login = (
        f"analyst, SUPERSET_PASSWORD from `{commands.environment}`;"
        f" for admin, from `{commands.admin_environment}`"
    )
    table.add_row("dashboard", dashboard, dashboard_login)
    table.add_row("Trino", topology.trino.url, f"analyst; `{commands.prompt}` logs in for you")
    flink_login = f"{FLINK_USER}, FLINK_PASSWORD from `{commands.admin_environment}`"
    table.add_row("Flink", topology.flink.page_url, flink_login)
    console_url = f"http://{topology.s3.host}:{topology.s3.console_port}"
    s3_login = f"S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY from `{commands.environment}`"
    table.add_row("MinIO", console_url, s3_login)
    kafka_login = f"sender, the login of `{commands.sender_environment}`; {commands.inner_ports}"
    table.add_row("Kafka", topology.kafka.authority, kafka_login)
    console.print("\nThe lakehouse is running.")
    console.print(table)
    console.print(f"\nTry next:  {commands.try_next}", markup=False)


def _read_services(lakehouse: Lakehouse, supervisor: Supervisor) -> list[ServiceStatus]:
    ports = lakehouse.settings.topology.ports
    keys = {service.name: service.ports for service in describe_services(lakehouse)}
    return [
        ServiceStatus(
            name=process.name,
            state=process.state.lower(),
            pid=process.pid,
            port=next((ports[key] for key in keys.get(process.name, ())), None),
            memory_mb=_resident_mb(process.pid),
            uptime_seconds=process.uptime_seconds,
        )
        for process in supervisor.states()
    ]


def _resident_mb(pid: int | None) -> int:
    if pid is None:
        return 0
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        return sum(_private_bytes(process) for process in family) // 1_000_000
    except psutil.Error:
        return 0


def _private_bytes(process: psutil.Process) -> int:
    """Return the proportional set size, or resident memory where the system does not report it.

    PostgreSQL's processes share most of their resident memory, which would count several times.
    """
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))


def _read_job(lakehouse: Lakehouse, newest_row_age: float | None) -> JobStatus:
    cluster = Cluster(lakehouse.settings)
    job = cluster.attribution_job()
    lag = _or_none(lambda: sum(each.lag for each in read_progress(lakehouse.settings)))
    return JobStatus(
        state=job.state.lower() if job else "not submitted",
        job_id=job.job_id if job else None,
        checkpoint_age_seconds=cluster.checkpoint_age_seconds(job.job_id) if job else None,
        lag_messages=lag,
        lag_seconds=0.0 if lag == 0 else newest_row_age,
    )


def _read_capture(lakehouse: Lakehouse) -> CaptureStatus:
    try:
        connector = read_connector(lakehouse)
    except ServiceError:
        connector = ConnectorState("not answering")
    failures = read_failures(lakehouse)
    if failures:
        # Between a restart and the next failure it runs. The state must not change to and fro.
        connector = ConnectorState("failing", failures.reason)
    slot = read_slot(lakehouse)
    limit_mb = lakehouse.settings.pipeline.changes.retained_log_warning_mb
    missing = read_missing_columns(lakehouse)
    warning = describe_danger(connector, failures, slot, limit_mb, missing)
    return CaptureStatus(connector, failures, slot, warning)


def describe_danger(
    connector: ConnectorState,
    failures: Failures | None,
    slot: SlotState | None,
    limit_mb: int,
    missing: list[str],
) -> str:
    """Return what is wrong with the capture, and what to do; '' if all is well.

    PostgreSQL's log grows or may grow, or the shop lacks a column that the job reads.
    """
    if failures:
        times = "once" if failures.count == 1 else f"{failures.count} times"
        return (
            f"failed {times} since {failures.first_at}, and is restarted each time; last at"
            f" {failures.last_at}: {failures.reason}; `make logs SERVICE=connect`"
        )
    if connector.state == "failed":
        return f"failed: {connector.reason}; `make logs SERVICE=connect`"
    if slot and slot.retained_bytes > limit_mb * 1_000_000:
        return (
            f"PostgreSQL's log grows: it keeps {slot.retained_bytes // 1_000_000} MB, more than"
            f" changes.retained_log_warning_mb = {limit_mb}; see docs/runbook.md"
        )
    if slot and not slot.is_active:
        return "nobody reads the slot: PostgreSQL keeps its log until Connect reads it"
    if missing:
        return (
            f"the shop's database has no column {', '.join(missing)}, so later changes have null"
            " there; see docs/runbook.md"
        )
    return ""


def _read_tables(lakehouse: Lakehouse) -> list[TableStatus]:
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    parts = [
        f"select '{table.name}', max({table.arrival_column}) from {table.name}"
        f" where {table.arrival_column} > now() - interval '1' day"
        for table in TABLES
    ]
    now = datetime.now(UTC)
    return [
        TableStatus(name, newest and newest.isoformat(), newest and (now - newest).total_seconds())
        for name, newest in trino.query(" union all ".join(parts))
    ]


def _read_marts(lakehouse: Lakehouse) -> list[MartStatus]:
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    # The audits' own tables are no marts of events: only an audit writes them.
    marts = sorted(name for name in list_marts(trino) if not name.startswith("marts.audit_"))
    hourly = trino.query(
        "select 'marts.' || table_name from information_schema.columns"
        " where table_schema = 'marts' and column_name = 'event_hour'"
    )
    parts = [
        f"select '{name}', max(event_hour) from {name} where event_hour > now() - interval '7' day"
        for [name] in hourly
        if name in marts
    ]
    newest = dict(trino.query(" union all ".join(parts))) if parts else {}
    builds = read_builds(lakehouse)
    return [_describe_mart(name, newest.get(name), builds) for name in marts]


def _describe_mart(table: str, hour: datetime | None, builds: Mapping[str, Build]) -> MartStatus:
    name = table.removeprefix("marts.")
    newest_hour = hour.isoformat() if hour else None
    build = builds.get(name)
    if build is None:
        return MartStatus(name, newest_hour, None, None, "")
    age = datetime.now(UTC) - datetime.fromisoformat(build.ended_at)
    return MartStatus(name, newest_hour, build.ended_at, age.total_seconds(), build.error)


def _services_table(services: list[ServiceStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("service")
    table.add_column("state")
    for column in ("pid", "port", "memory", "up"):
        table.add_column(column, justify="right")
    for service in services:
        table.add_row(
            service.name,
            service.state,
            str(service.pid or "-"),
            str(service.port or "-"),
            f"{service.memory_mb} MB",
            _duration(service.uptime_seconds),
        )
    total = sum(service.memory_mb for service in services)
    table.add_row("total", "", "", "", f"{total} MB", "")
    return table


def _job_line(job: JobStatus) -> str:
    return (
        f"\njob {job.job_id or ''}: {job.state}; last checkpoint"
        f" {_duration(job.checkpoint_age_seconds)} ago; lag"
        f" {'unknown' if job.lag_messages is None else job.lag_messages} messages,"
        f" {_duration(job.lag_seconds)}\n"
    )


def _capture_line(capture: CaptureStatus) -> str:
    slot = capture.slot
    position = (
        f"slot {'active' if slot.is_active else 'inactive'}, {slot.behind_bytes // 1000} kB behind,"
        f" {slot.retained_bytes // 1_000_000} MB of log kept for it"
        if slot
        else "no slot yet"
    )
    warning = f"\nWARNING: {capture.warning}" if capture.warning else ""
    return f"change capture: connector {capture.connector.state}; {position}{warning}\n"


def _tables_table(tables: list[TableStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("table", "newest row", "age"):
        table.add_column(column)
    for row in tables:
        newest = row.newest_row_at or "none in the last 24 h"
        table.add_row(row.name, newest, _duration(row.age_seconds))
    return table


def _marts_table(marts: list[MartStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("mart", "newest hour", "last build", "age"):
        table.add_column(column)
    for row in marts:
        outcome = f"failed: {row.error.splitlines()[0]}" if row.error else row.built_at
        age = _duration(row.age_seconds) if row.built_at else "-"
        table.add_row(row.name, row.newest_hour or "-", outcome or "-", age)
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )


def _or_none(read: Callable[[], Value]) -> Value | None:
    """Return the result, or None on any error.

    Users need the report most when a server does not answer, so only that server's line is missing.
    """
    try:
        return read()
    except Exception:
        return None
