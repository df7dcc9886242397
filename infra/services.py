"""The services: what runs, with which configuration and credentials, and when it is ready.

The same in both topologies: supervision.py runs them as processes of this machine, containers.py
writes them down for containers. In the order of their start. A service that needs another one is
started after it, but each also survives the other's restart: nothing here has to be restarted by
hand.
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

from flink_jobs.submission_names import JOB_NAME
from infra import environment
from infra.homes import Home
from infra.parts import Parts
from infra.probes import FlinkJobProbe, FlinkProbe, HttpProbe, KafkaProbe, PostgresProbe, TrinoProbe
from infra.secrets import Secrets
from infra.settings import LOOPBACK, REPOSITORY, Settings
from infra.supervision import FirstRun, Service
from infra.templates import render
from infra.trino_identity import trino_identity_files

FLINK_CONFIGURATION = REPOSITORY / "flink_jobs/cluster"
POSTGRES_ADMIN = "postgres"
# Whoever reaches the port needs a password, for replication too.
POSTGRES_ACCESS = """\
host all all all scram-sha-256
host replication all all scram-sha-256
"""
S3_ROOT = "root"
CONNECT_FILES = REPOSITORY / "infra/connect"
# Whatever an archive of classes holds: one that was damaged is left aside, and ends no JVM.
VERIFIED_ARCHIVE = ("-XX:+VerifySharedSpaces", "-Xshare:auto")
# Kafka's own programs: a fixed heap, and what they need beside that.
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=64m")

# Flink's client lives for seconds: the second compiler took half of its CPU, for nothing.
PLANNING_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Lakehouse:
    """One lakehouse: its settings, its secrets, and where its parts are."""

    settings: Settings
    secrets: Secrets
    parts: Parts
    # PostgreSQL's, where root runs it natively.
    home: Home | None = None

    @property
    def data(self) -> Path:
        """Folder of what the services keep."""
        return self.settings.state / "data"

    @property
    def configuration(self) -> Path:
        """Folder of rendered configuration."""
        return self.settings.state / "configuration"

    def bind(self, port: int) -> str:
        """What a server listens on."""
        return f"{self.settings.topology.network.bind_host}:{port}"


def describe_services(lakehouse: Lakehouse) -> Iterator[Service]:
    """Every service of this lakehouse."""
    yield _postgres(lakehouse)
    yield _minio(lakehouse)
    yield _kafka(lakehouse)
    yield _connect(lakehouse)
    yield from _flink(lakehouse)
    yield _trino(lakehouse)
    yield _attribution(lakehouse)
    yield _superset(lakehouse)
    yield _housekeeping(lakehouse)
    if lakehouse.settings.is_producer_on:
        yield _producer(lakehouse)


def describe_prompt(lakehouse: Lakehouse) -> Service:
    """Trino's own prompt, for a person: `make sql`, and `docker compose run sql`."""
    settings = lakehouse.settings
    return Service(
        name="sql",
        command=[
            lakehouse.parts.java(25) / "bin/java",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            f"{lakehouse.parts.root}/trino-cli/*",
            "io.trino.cli.Trino",
            "--server",
            settings.topology.trino.url,
            "--user",
            "analyst",
            "--password",
            "--truststore-path",
            settings.trino_ca_file,
            "--timezone",
            "UTC",
            "--catalog",
            settings.meanings.lake.catalog,
            "--schema",
            "marts",
            "--output-format",  # of a statement that is given, or piped
            "ALIGNED",
        ],
        environment={"TRINO_PASSWORD": lakehouse.secrets.trino_analyst_password},
        reads=(settings.trino_ca_file,),
    )


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
    home = lakehouse.home  # PostgreSQL refuses root
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
        stop_signal="INT",  # fast shutdown: end sessions, write a checkpoint
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
            lakehouse.bind(address.port),
            "--console-address",
            lakehouse.bind(address.console_port),
            data,
        ],
        environment={
            "MINIO_ROOT_USER": S3_ROOT,
            "MINIO_ROOT_PASSWORD": lakehouse.secrets.s3_root_secret_key,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER_REDIRECT": "off",
            "GOMEMLIMIT": "512MiB",
        },
        folders=(data,),
        # MinIO's page of health answers before MinIO has read users and policies, and what it reads
        # replaces what it is told meanwhile. Its console begins after that.
        probe=HttpProbe(f"http://{address.host}:{address.console_port}"),
        ports=("s3.port", "s3.console_port"),
    )


def _kafka(lakehouse: Lakehouse) -> Service:
    address = lakehouse.settings.topology.kafka
    data = lakehouse.data / "kafka"
    file = lakehouse.configuration / "kafka.properties"
    java: list[str | Path] = [
        lakehouse.parts.java(21) / "bin/java",
        "-cp",
        f"{lakehouse.parts.root}/kafka/*",
    ]
    logging = REPOSITORY / "infra/kafka/log4j2.properties"
    archive = _archive(lakehouse, "kafka", 21, "kafka")
    return Service(
        name="kafka",
        command=[
            *java,
            f"-Xmx{address.heap_mb}m",
            *SMALL_JVM,
            *archive_options(archive),
            f"-Dlog4j2.configurationFile={logging}",
            "kafka.Kafka",
            file,
        ],
        environment={},
        files={file: _kafka_properties(lakehouse, data)},
        first_run=FirstRun(
            command=[
                *java,
                "kafka.tools.StorageTool",
                "format",
                "--standalone",
                "-t",
                str(uuid.uuid4()),
                "-c",
                file,
            ],
            leaves=data / "meta.properties",
        ),
        probe=KafkaProbe(address.authority),
        archive=archive,
        ports=("kafka.port", "kafka.controller_port"),
        stop_seconds=60,
    )


def _kafka_properties(lakehouse: Lakehouse, data: Path) -> str:
    """Rendered for its clients, and for those outside of the containers' network if need be."""
    address = lakehouse.settings.topology.kafka
    published = lakehouse.settings.published.kafka
    names = {"CLIENTS": address} | ({"PUBLISHED": published} if published != address else {})
    return render(
        REPOSITORY / "infra/kafka/server.properties",
        {
            "listeners": ",".join(
                f"{name}://{lakehouse.bind(each.port)}" for name, each in names.items()
            ),
            "advertised_listeners": ",".join(
                f"{name}://{each.authority}" for name, each in names.items()
            ),
            "controller_address": f"{LOOPBACK}:{address.controller_port}",
            "data": data,
            "max_message_bytes": lakehouse.settings.meanings.topics.max_message_bytes,
        },
    )


def _connect(lakehouse: Lakehouse) -> Service:
    """Kafka Connect, for the change capture; what it does there is change_capture.py's."""
    address = lakehouse.settings.topology.connect
    file = lakehouse.configuration / "connect.properties"
    archive = _archive(lakehouse, "connect", 21, "connect")
    values = {
        "kafka_bootstrap_servers": lakehouse.settings.topology.kafka.authority,
        "bind": lakehouse.bind(address.port),
        "host": address.host,
        "max_message_bytes": lakehouse.settings.meanings.topics.max_message_bytes,
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
        environment=environment.connect_environment(lakehouse.secrets),
        files={file: render(CONNECT_FILES / "worker.properties", values)},
        probe=HttpProbe(f"{address.url}/health"),
        archive=archive,
        ports=("connect.port",),
        after=("kafka",),
    )


def _flink(lakehouse: Lakehouse) -> Iterator[Service]:
    scripts = lakehouse.parts.flink_home / "bin"
    topology, meanings = lakehouse.settings.topology, lakehouse.settings.meanings
    for name, slots in (("jobmanager", 0), ("taskmanager", meanings.flink.parallelism)):
        archive = _archive(lakehouse, name, 21, "flink-distribution/lib")
        yield Service(
            name=name,
            command=["bash", scripts / f"{name}.sh", "start-foreground"],
            environment={
                **flink_process_environment(lakehouse),
                **_script_paths(lakehouse),
                # What its scripts hand to the JVM, unquoted: relative, as those.
                "JVM_ARGS": " ".join(archive_options(archive, lakehouse.parts.root)),
            },
            directory=lakehouse.parts.root,
            archive=archive,
            files=_flink_configuration(lakehouse),
            folders=(lakehouse.data / "flink", lakehouse.settings.logs / "flink"),
            probe=FlinkProbe(topology.flink.url, slots),
            ports=("flink.port", "flink.rpc_port") if name == "jobmanager" else (),
        )


def _script_paths(lakehouse: Lakehouse) -> dict[str, str]:
    """Two paths relative to the parts, since Flink's scripts don't quote them.

    The absolute ones may hold a space.
    """
    parts = lakehouse.parts.root
    scratch = os.path.relpath((lakehouse.data / "flink").resolve(), parts.resolve())
    return {"FLINK_LIB_DIR": "flink-distribution/lib", "FLINK_PID_DIR": scratch}


def flink_process_environment(lakehouse: Lakehouse) -> dict[str, str]:
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
        "HOSTNAME": "localhost",
    }


def _flink_configuration(lakehouse: Lakehouse) -> Mapping[Path, str]:
    """What both of the cluster's processes and the job's client read; no secret is in it."""
    network = lakehouse.settings.topology.network
    address = lakehouse.settings.topology.flink
    s3 = lakehouse.settings.topology.s3
    text = render(
        FLINK_CONFIGURATION / "config.yaml",
        {
            "host": address.host,
            "taskmanager_host": address.taskmanager_host,
            "bind_host": network.bind_host,
            "rest_port": address.port,
            "rpc_port": address.rpc_port,
            "jobmanager_memory_mb": address.jobmanager_memory_mb,
            "taskmanager_memory_mb": address.taskmanager_memory_mb,
            "managed_memory_mb": address.managed_memory_mb,
            "slots": lakehouse.settings.meanings.flink.parallelism,
            "s3_endpoint": s3.endpoint,
            "s3_region": s3.region,
            "scratch_folder": lakehouse.data / "flink",
        },
    )
    folder = lakehouse.configuration / "flink"
    logging = FLINK_CONFIGURATION.glob("log4j-*.properties")
    return {
        folder / "config.yaml": text,
        **{folder / file.name: file.read_text() for file in logging},
    }


def _trino(lakehouse: Lakehouse) -> Service:
    address = lakehouse.settings.topology.trino
    home = lakehouse.parts.root / "trino"
    archive = _archive(lakehouse, "trino", 25, "trino/lib")
    data = lakehouse.data / "trino"
    return Service(
        name="trino",
        command=[
            lakehouse.parts.java(25) / "bin/java",
            "@etc/jvm.config",
            f"-Xmx{address.heap_mb}m",
            *archive_options(archive),
            "-Dconfig=etc/config.properties",
            f"-Dnode.data-dir={data}",
            f"-Dnode.bind-ip={lakehouse.settings.topology.network.bind_host}",
            f"-Dplugin.dir={home}/plugin",
            "-cp",
            f"{home}/lib/*",
            "io.trino.server.TrinoServer",
        ],
        environment=environment.trino_environment(lakehouse.settings, lakehouse.secrets),
        directory=REPOSITORY / "trino",
        after=("trino-identity", "tables"),
        folders=(data,),
        reads=trino_identity_files(lakehouse.settings),
        probe=TrinoProbe(
            address.url,
            "dashboard",
            lakehouse.secrets.trino_dashboard_password,
            str(lakehouse.settings.trino_ca_file),
        ),
        archive=archive,
        ready_seconds=300,  # 15 s on idle cores, minutes on busy ones
        ports=("trino.port",),
    )


def _archive(lakehouse: Lakehouse, name: str, java: int, folder: str) -> Path | None:
    """A service's archive; None in containers, whose images nobody adds to."""
    if lakehouse.settings.is_in_containers:
        return None
    return lakehouse.parts.archive(name, java, folder)


def archive_options(archive: Path | None, directory: Path | None = None) -> Iterator[str]:
    """Options of a JVM that takes its classes from there, if they are there.

    Args:
        archive: of the service; None where it has none.
        directory: the JVM's own, where the options must not hold the path to it.
    """
    if archive:
        file = archive.relative_to(directory) if directory else archive
        yield from (f"-XX:SharedArchiveFile={file}", *VERIFIED_ARCHIVE)


def _attribution(lakehouse: Lakehouse) -> Service:
    """The job's keeper: submits it, watches it, resubmits it from its newest checkpoint."""
    return Service(
        name="attribution",
        command=[
            lakehouse.settings.environment_python("flink"),
            "-m",
            "flink_jobs.watch",
            "--jar",
            lakehouse.parts.attribution_jar,
        ],
        environment={
            **topology_environment(lakehouse),
            **flink_process_environment(lakehouse),
            "JVM_ARGS": " ".join(PLANNING_JVM),
        },
        directory=REPOSITORY,
        files=_flink_configuration(lakehouse),
        grants=("postgres_catalog_password", "s3_flink_secret_key"),
        probe=FlinkJobProbe(lakehouse.settings.topology.flink.url, JOB_NAME),
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
            lakehouse.bind(address.port),
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
        reads=(lakehouse.settings.trino_ca_file,),
        probe=HttpProbe(f"{address.url}/login/"),
        ports=("superset.port",),
        after=("dashboards",),
    )


def _housekeeping(lakehouse: Lakehouse) -> Service:
    """Scheduled work on the lake: marts, compaction, expiry of snapshots."""
    return Service(
        name="housekeeping",
        command=[_tools_python(lakehouse), "-m", "infra.housekeeping"],
        environment=topology_environment(lakehouse),
        directory=REPOSITORY,
        reads=(lakehouse.settings.trino_ca_file,),
        grants=("trino_etl_password",),
        after=("marts", "change-capture"),
        stop_seconds=60,
    )


def _producer(lakehouse: Lakehouse) -> Service:
    return Service(
        name="producer",
        command=[_tools_python(lakehouse), "-m", "producer"],
        environment=topology_environment(lakehouse),
        directory=REPOSITORY,
        grants=("postgres_shop_password",),
        after=("topics", "shop-tables", "attribution"),
    )


def _tools_python(lakehouse: Lakehouse) -> Path:
    return lakehouse.settings.environment_python("tools")


def topology_environment(lakehouse: Lakehouse) -> dict[str, str]:
    """Leads our own Python processes to the same two settings files."""
    return {
        "TRIBUTARY_SETTINGS": str(lakehouse.settings.meanings_file),
        "TRIBUTARY_TOPOLOGY": str(lakehouse.settings.topology_file),
    }
