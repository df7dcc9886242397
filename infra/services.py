"""The native services: what runs, as whom, with which credentials, and when it is ready.

In the order of their start. A service that needs another one is started after it, but each also
survives the other's restart: nothing here has to be restarted by hand.
"""

import os
import pwd
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg2
import requests
from confluent_kafka.admin import AdminClient
from psycopg2.extensions import connection

from flink_jobs.cluster import Cluster
from infra import environment
from infra.errors import ServiceError
from infra.parts import Parts, run_quietly
from infra.secrets import Secrets
from infra.settings import REPOSITORY, Settings
from infra.supervision import Service
from infra.templates import render, write_private
from infra.trino_client import connect_trino

FLINK_CONFIGURATION = REPOSITORY / "flink_jobs/cluster"
POSTGRES_ADMIN = "postgres"
S3_ROOT = "root"
# The broker's threads: a fixed heap, and what it needs beside that.
KAFKA_JVM = ("-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=64m", "-Xshare:auto")


@dataclass(frozen=True)
class Lakehouse:
    """One lakehouse: its settings, its secrets, and where its parts are."""

    settings: Settings
    secrets: Secrets
    parts: Parts

    @property
    def data(self) -> Path:
        """Folder of what the services keep."""
        return self.settings.state / "data"

    @property
    def configuration(self) -> Path:
        """Folder of rendered configuration."""
        return self.settings.state / "configuration"


def describe_services(lakehouse: Lakehouse) -> Iterator[Service]:
    """Every service of this lakehouse."""
    yield _postgres(lakehouse)
    yield _minio(lakehouse)
    yield _kafka(lakehouse)
    yield from _flink(lakehouse)
    yield _trino(lakehouse)
    yield _attribution(lakehouse)
    yield _superset(lakehouse)
    yield _housekeeping(lakehouse)
    if lakehouse.settings.is_producer_on:
        yield _producer(lakehouse)


def connect_postgres(lakehouse: Lakehouse, database: str = POSTGRES_ADMIN) -> connection:
    """A connection as the database server's administrator."""
    address = lakehouse.settings.topology.postgres
    return psycopg2.connect(
        host=address.host,
        port=address.port,
        dbname=database,
        user=POSTGRES_ADMIN,
        password=lakehouse.secrets.postgres_admin_password,
        connect_timeout=5,
    )


def _postgres(lakehouse: Lakehouse) -> Service:
    data = lakehouse.data / "postgres"
    address = lakehouse.settings.topology.postgres
    options = {
        "listen_addresses": address.host,
        "port": address.port,
        "unix_socket_directories": "",
        "wal_level": "logical",  # for change data capture
        "shared_buffers": "64MB",
        "max_connections": 60,
    }
    binary = lakehouse.parts.root / "postgres/bin"
    arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    return Service(
        name="postgres",
        command=[*_unprivileged(), binary / "postgres", "-D", data, *arguments],
        environment={},
        is_ready=partial(_answers, lakehouse),
        prepare=partial(_create_cluster, lakehouse, binary, data),
        ports=("postgres.port",),
        stop_signal="INT",  # fast shutdown: end sessions, write a checkpoint
    )


def _answers(lakehouse: Lakehouse) -> bool:
    connect_postgres(lakehouse).close()
    return True


def _create_cluster(lakehouse: Lakehouse, binary: Path, data: Path) -> None:
    """`initdb`, once; PostgreSQL's folder belongs to the user that it runs as."""
    if (data / "PG_VERSION").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    password = lakehouse.configuration / "postgres-password"
    write_private(password, lakehouse.secrets.postgres_admin_password)
    if os.geteuid() == 0:
        user = _unprivileged_user()
        for path in (data, password):
            os.chown(path, user.pw_uid, user.pw_gid)
    run_quietly(
        [
            *_unprivileged(),
            str(binary / "initdb"),
            "-D",
            str(data),
            "-U",
            POSTGRES_ADMIN,
            "--pwfile",
            str(password),
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ],
    )
    password.unlink()


def _unprivileged() -> list[str]:
    """A prefix that makes a command run as somebody else where we are root.

    PostgreSQL refuses root. CAP_DAC_READ_SEARCH lets that user reach the state folder even where
    the folders above it (root's home, say) are closed to it; it grants no writing.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise ServiceError(
            "PostgreSQL does not run as root, and setpriv (util-linux) is missing:"
            " install util-linux, or run make as another user"
        )
    user = _unprivileged_user()
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ]


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _minio(lakehouse: Lakehouse) -> Service:
    address = lakehouse.settings.topology.s3
    data = lakehouse.data / "minio"
    return Service(
        name="minio",
        command=[
            lakehouse.parts.root / "minio/minio",
            "server",
            "--quiet",
            "--address",
            address.authority,
            "--console-address",
            f"{address.host}:{address.console_port}",
            data,
        ],
        environment={
            "MINIO_ROOT_USER": S3_ROOT,
            "MINIO_ROOT_PASSWORD": lakehouse.secrets.s3_root_secret_key,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER_REDIRECT": "off",
            "GOMEMLIMIT": "512MiB",
        },
        is_ready=lambda: requests.get(f"{address.endpoint}/minio/health/ready", timeout=5).ok,
        prepare=lambda: data.mkdir(parents=True, exist_ok=True),
        ports=("s3.port", "s3.console_port"),
    )


def _kafka(lakehouse: Lakehouse) -> Service:
    address = lakehouse.settings.topology.kafka
    file = lakehouse.configuration / "kafka.properties"
    java = lakehouse.parts.java(21) / "bin/java"
    class_path = str(lakehouse.parts.root / "kafka/*")
    logging = REPOSITORY / "infra/kafka/log4j2.properties"
    return Service(
        name="kafka",
        command=[
            java,
            f"-Xmx{address.heap_mb}m",
            *KAFKA_JVM,
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            class_path,
            "kafka.Kafka",
            file,
        ],
        environment={},
        is_ready=lambda: bool(
            AdminClient({"bootstrap.servers": address.authority, "log_level": 0})
            .list_topics(timeout=2)
            .brokers
        ),
        prepare=lambda: _format_kafka(lakehouse, file, [str(java), "-cp", class_path]),
        ports=("kafka.port", "kafka.controller_port"),
        stop_seconds=60,
    )


def _format_kafka(lakehouse: Lakehouse, file: Path, java: list[str]) -> None:
    """Render the broker's configuration; format its log folder once."""
    address = lakehouse.settings.topology.kafka
    data = lakehouse.data / "kafka"
    text = render(
        REPOSITORY / "infra/kafka/server.properties",
        {
            "address": address.authority,
            "controller_address": f"{address.host}:{address.controller_port}",
            "data": data,
            "max_message_bytes": lakehouse.settings.meanings.topics.max_message_bytes,
        },
    )
    write_private(file, text)
    if not (data / "meta.properties").exists():
        cluster_id = str(uuid.uuid4())
        run_quietly(
            [
                *java,
                "kafka.tools.StorageTool",
                "format",
                "--standalone",
                "-t",
                cluster_id,
                "-c",
                str(file),
            ]
        )


def _flink(lakehouse: Lakehouse) -> Iterator[Service]:
    address = lakehouse.settings.topology.flink
    scripts = lakehouse.parts.flink_home / "bin"
    for name, script, is_ready in (
        ("jobmanager", "jobmanager.sh", lambda: _overview(lakehouse) is not None),
        (
            "taskmanager",
            "taskmanager.sh",
            lambda: _overview(lakehouse)["slots-total"] >= address.slots,
        ),
    ):
        yield Service(
            name=name,
            command=["bash", scripts / script, "start-foreground"],
            environment=_flink_process_environment(lakehouse),
            is_ready=is_ready,
            ports=("flink.port", "flink.rpc_port") if name == "jobmanager" else (),
            after=("flink configuration",),
        )


def _overview(lakehouse: Lakehouse) -> dict[str, int]:
    reply = requests.get(f"{lakehouse.settings.topology.flink.url}/overview", timeout=5)
    reply.raise_for_status()
    return dict(reply.json())


def _flink_process_environment(lakehouse: Lakehouse) -> dict[str, str]:
    """What Flink's own scripts and its Python client find."""
    return {
        **environment.flink_environment(lakehouse.settings, lakehouse.secrets),
        # Flink's S3 and Iceberg's read the names of Amazon's own client.
        "AWS_ACCESS_KEY_ID": "flink",
        "AWS_SECRET_ACCESS_KEY": lakehouse.secrets.s3_flink_secret_key,
        "AWS_REGION": lakehouse.settings.topology.s3.region,
        "JAVA_HOME": str(lakehouse.parts.java(21)),
        "FLINK_HOME": str(lakehouse.parts.flink_home),
        "FLINK_CONF_DIR": str(lakehouse.configuration / "flink"),
        "FLINK_LIB_DIR": str(lakehouse.parts.root / "flink-distribution/lib"),
        "FLINK_PLUGINS_DIR": str(lakehouse.parts.root / "flink-distribution/plugins"),
        "FLINK_LOG_DIR": str(lakehouse.settings.logs / "flink"),
        "FLINK_PID_DIR": str(lakehouse.data / "flink"),
        "HOSTNAME": "localhost",
    }


def render_flink_configuration(lakehouse: Lakehouse) -> None:
    """Write the configuration of both of the cluster's processes; no secret is in it."""
    address = lakehouse.settings.topology.flink
    s3 = lakehouse.settings.topology.s3
    scratch = lakehouse.data / "flink"
    for folder in (scratch, lakehouse.settings.logs / "flink"):
        folder.mkdir(parents=True, exist_ok=True)
    text = render(
        FLINK_CONFIGURATION / "config.yaml",
        {
            "host": address.host,
            "rest_port": address.port,
            "rpc_port": address.rpc_port,
            "jobmanager_memory_mb": address.jobmanager_memory_mb,
            "taskmanager_memory_mb": address.taskmanager_memory_mb,
            "managed_memory_mb": address.managed_memory_mb,
            "slots": address.slots,
            "s3_endpoint": s3.endpoint,
            "s3_region": s3.region,
            "scratch_folder": scratch,
        },
    )
    target = lakehouse.configuration / "flink"
    write_private(target / "config.yaml", text)
    for logging in FLINK_CONFIGURATION.glob("log4j-*.properties"):
        shutil.copy(logging, target)


def _trino(lakehouse: Lakehouse) -> Service:
    address = lakehouse.settings.topology.trino
    home = lakehouse.parts.root / "trino"
    data = lakehouse.data / "trino"
    return Service(
        name="trino",
        command=[
            lakehouse.parts.java(25) / "bin/java",
            "@etc/jvm.config",
            f"-Xmx{address.heap_mb}m",
            "-Dconfig=etc/config.properties",
            f"-Dnode.data-dir={data}",
            f"-Dnode.bind-ip={address.host}",
            f"-Dplugin.dir={home}/plugin",
            "-cp",
            f"{home}/lib/*",
            "io.trino.server.TrinoServer",
        ],
        environment=environment.trino_environment(lakehouse.settings, lakehouse.secrets),
        directory=REPOSITORY / "trino",
        after=("trino identity", "tables"),
        is_ready=lambda: bool(
            connect_trino(lakehouse.settings, lakehouse.secrets).query("select 1")
        ),
        prepare=lambda: data.mkdir(parents=True, exist_ok=True),
        ready_seconds=300,  # 15 s on idle cores, minutes on busy ones
        ports=("trino.port",),
    )


def _attribution(lakehouse: Lakehouse) -> Service:
    """The job's keeper: submits it, watches it, resubmits it from its newest checkpoint."""
    return Service(
        name="attribution",
        command=[
            _tools_python(lakehouse),
            "-m",
            "flink_jobs.watch",
            "--jar",
            lakehouse.parts.attribution_jar,
        ],
        environment={**_topology_environment(lakehouse), **_flink_process_environment(lakehouse)},
        directory=REPOSITORY,
        is_ready=lambda: Cluster(lakehouse.settings.topology.flink.url).is_job_running(),
        ready_seconds=180,
        # Planning takes seconds that the TaskManager needs too: the job waits for its slots.
        after=("jobmanager", "tables", "topics"),
    )


def _superset(lakehouse: Lakehouse) -> Service:
    address = lakehouse.settings.topology.superset
    python = lakehouse.settings.environment_python("superset")
    return Service(
        name="superset",
        command=[
            python.with_name("gunicorn"),
            "--bind",
            address.authority,
            "--workers",
            "1",
            "--threads",
            "8",
            "--timeout",
            "120",
            "--no-control-socket",
            "superset.app:create_app()",
        ],
        environment=environment.superset_environment(lakehouse.settings, lakehouse.secrets),
        is_ready=lambda: requests.get(f"{address.url}/login/", timeout=10).ok,
        ports=("superset.port",),
        after=("dashboards",),
    )


def _housekeeping(lakehouse: Lakehouse) -> Service:
    """Scheduled work on the lake: marts, compaction, expiry of snapshots."""
    return Service(
        name="housekeeping",
        command=[_tools_python(lakehouse), "-m", "infra.housekeeping"],
        environment=_topology_environment(lakehouse),
        directory=REPOSITORY,
        is_ready=lambda: True,
        after=("marts",),
        stop_seconds=60,
    )


def _producer(lakehouse: Lakehouse) -> Service:
    return Service(
        name="producer",
        command=[_tools_python(lakehouse), "-m", "producer"],
        environment=_topology_environment(lakehouse),
        directory=REPOSITORY,
        is_ready=lambda: True,
        after=("topics", "databases", "attribution"),
    )


def _tools_python(lakehouse: Lakehouse) -> Path:
    return lakehouse.settings.environment_python("tools")


def _topology_environment(lakehouse: Lakehouse) -> dict[str, str]:
    """Leads our own Python processes to the same two settings files."""
    return {
        "TRIBUTARY_SETTINGS": str(lakehouse.settings.meanings_file),
        "TRIBUTARY_TOPOLOGY": str(lakehouse.settings.topology_file),
    }
