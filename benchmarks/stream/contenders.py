"""The contenders: our job, its parts, and the peers. Each run is a fresh process."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.stream.tables import OUR_TABLE, PEERS_TABLE
from benchmarks.stream.usage import Usage
from configuration import REPOSITORY
from configuration.environment import flink_environment
from configuration.flink_client import open_flink_session
from configuration.kafka_client import MECHANISM, PROTOCOL, kafka_jaas
from infra.services.flink import flink_process_environment
from infra.services.model import Lakehouse
from infra.services.registry import find_service
from infra.topologies.supervision import Supervisor

SQL = Path(__file__).parent / "sql"
RUN_SECONDS = 3600
OUR_INSERTS = ("raw_clickstream", "raw_checkouts", "raw_quarantine", "attributed_checkouts")
# The fields of the topics' messages, as a schema for Spark's from_json.
CLICK_FIELDS = (
    "event_id string, event_type string, user_id bigint, product_id bigint, source string,"
    " campaign string, occurred_at_ms bigint"
)
CHECKOUT_FIELDS = (
    "checkout_id string, user_id bigint, product_id bigint, quantity int,"
    " unit_price_usd decimal(12, 2), discount_share decimal(5, 4), shipping_usd decimal(12, 2),"
    " commission_share decimal(5, 4), payment_status string, occurred_at_ms bigint"
)


class Measured(NamedTuple):
    """One run, from the first message to the last commit; excludes planning and start-up."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Bench:
    """The benchmark's own lakehouse, and the environment of its processes."""

    lakehouse: Lakehouse
    environment: Mapping[str, str]

    def run(self, command: list[str], task: Mapping[str, Any], **variables: str) -> Any:
        """Run a program that reads a task from stdin and writes a result to stdout, both JSON."""
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**self.environment, **variables},
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        if done.returncode != 0:
            causes = [
                line for line in done.stderr.splitlines() if "Error" in line or "xception" in line
            ]
            said = "\n".join(causes[:20]) or done.stderr[-4000:]
            raise RuntimeError(f"{command}:\n{said}")
        return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Contender:
    """A program that reads the topics and writes answers to `table`; None: it writes none."""

    name: str
    run: Callable[[Bench], Measured]
    table: str | None
    is_upsert: bool = False


def run_flink(bench: Bench, folder: str | None, inserts: tuple[str, ...] | None) -> Measured:
    """Run a bounded job on a freshly started TaskManager."""
    lakehouse = bench.lakehouse
    supervisor = Supervisor(lakehouse.settings)
    service = find_service(lakehouse, "taskmanager")
    supervisor.stop_service(service.name)
    supervisor.start_service(service)
    task = {
        "folder": str(SQL / folder) if folder else None,
        "inserts": inserts,
        "jar": str(lakehouse.parts.attribution_jar),
    }
    python = lakehouse.settings.virtualenv_python("flink")
    pid = supervisor.state(service.name).pid
    assert pid
    with Usage([pid]) as usage:
        reply = bench.run(
            [str(python), "-m", "benchmarks.stream.flink_contender"],
            task,
            **flink_process_environment(lakehouse),
        )
    url = f"{lakehouse.settings.topology.flink.url}/jobs/{reply['job_id']}"
    with open_flink_session(lakehouse.settings) as session:
        duration_ms = session.get(url, timeout=30).json()["duration"]
    return Measured(duration_ms / 1000, usage.cpu_seconds, usage.peak_mb)


def run_program(bench: Bench, environment: str, module: str, task: Mapping[str, Any]) -> Measured:
    """Run a Python program that measures itself."""
    python = bench.lakehouse.settings.virtualenv_python(environment)
    command = [str(python), "-m", f"benchmarks.stream.{module}"]
    return Measured(**bench.run(command, task))


def run_python(bench: Bench) -> Measured:
    """Run plain Python: one process, no framework."""
    return run_program(bench, "tools", "python_contender", {"table": PEERS_TABLE})


def run_spark(bench: Bench) -> Measured:
    """Run Structured Streaming on one core, with the trigger `availableNow`.

    It uses the machine's own Java (17 or 21; JAVA_HOME or PATH). The runtimes that we fetch lack
    the module jdk.incubator.vector, without which Spark does not start.
    """
    settings = bench.lakehouse.settings
    pipeline = settings.pipeline
    catalog = pipeline.lake.catalog
    environment = flink_environment(settings, bench.lakehouse.secrets)
    with tempfile.TemporaryDirectory() as scratch:
        task = {
            "master": "local[1]",
            "table": f"{catalog}.{PEERS_TABLE}",
            "checkpoint": f"{scratch}/checkpoint",
            "clickstream_topic": pipeline.topics.clickstream,
            "checkouts_topic": pipeline.topics.checkouts,
            "click_fields": CLICK_FIELDS,
            "checkout_fields": CHECKOUT_FIELDS,
            "kafka": {
                "kafka.bootstrap.servers": settings.topology.kafka.authority,
                "kafka.security.protocol": PROTOCOL,
                "kafka.sasl.mechanism": MECHANISM,
                "kafka.sasl.jaas.config": kafka_jaas(
                    "admin", bench.lakehouse.secrets.kafka_admin_password
                ),
            },
            "lookback_seconds": pipeline.attribution.lookback_seconds,
            "out_of_orderness_seconds": pipeline.watermark.out_of_orderness_seconds,
            "messages_per_trigger": 200_000,
            "options": spark_options(bench, catalog, environment, scratch),
        }
        return run_program(bench, "spark", "spark_contender", task)


def spark_options(
    bench: Bench, catalog: str, environment: Mapping[str, str], scratch: str
) -> dict[str, str]:
    """Options of a local Spark with Iceberg's catalog."""
    jars = ",".join(str(jar) for jar in bench.lakehouse.parts.jars("spark"))
    prefix = f"spark.sql.catalog.{catalog}"
    return {
        "spark.jars": jars,
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": scratch,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        f"{prefix}.uri": environment["CATALOG_JDBC_URI"],
        f"{prefix}.jdbc.user": environment["CATALOG_USER"],
        f"{prefix}.jdbc.password": environment["CATALOG_PASSWORD"],
        f"{prefix}.jdbc.schema-version": "V1",
        f"{prefix}.warehouse": bench.lakehouse.settings.pipeline.lake.warehouse,
        f"{prefix}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{prefix}.s3.endpoint": environment["S3_ENDPOINT"],
        f"{prefix}.s3.path-style-access": "true",
        f"{prefix}.s3.access-key-id": environment["S3_ACCESS_KEY_ID"],
        f"{prefix}.s3.secret-access-key": environment["S3_SECRET_ACCESS_KEY"],
        f"{prefix}.client.region": environment["S3_REGION"],
    }


CONTENDERS = (
    Contender("whole job", lambda bench: run_flink(bench, None, OUR_INSERTS), OUR_TABLE),
    Contender(
        "attribution alone",
        lambda bench: run_flink(bench, None, ("attributed_checkouts",)),
        OUR_TABLE,
    ),
    Contender(
        "limit: read, parse, discard", lambda bench: run_flink(bench, "limit", None), table=None
    ),
    Contender(
        "Flink SQL, interval join",
        lambda bench: run_flink(bench, "interval_join", None),
        PEERS_TABLE,
        is_upsert=True,
    ),
    Contender("Spark Structured Streaming", run_spark, PEERS_TABLE),
    Contender("plain Python", run_python, PEERS_TABLE),
)
