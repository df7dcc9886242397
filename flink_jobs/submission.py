"""Submit the job: read the settings and the SQL files, start one job on the cluster.

Runs in Flink's own Python environment. The job resumes from the newest checkpoint or savepoint, if
there is one, and is exactly-once from there: its offsets, its state and its tables. If a job runs
already, the submission is refused, because two jobs would write every row twice.
"""

import argparse
import fcntl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment
from pyflink.util.exceptions import TableException

from configuration.environment import flink_environment
from configuration.errors import TributaryError
from configuration.kafka_client import FLINKS_KAFKA, kafka_jaas
from configuration.secrets import load_secrets
from configuration.settings import Pipeline, Settings, load_settings
from configuration.sql import is_none_of, sql_literal
from flink_jobs.cluster import (
    CONSUMER_GROUP,
    JOB_NAME,
    Cluster,
    find_newest_restore_point,
    state_url,
)
from flink_jobs.event_sql import event_variables
from flink_jobs.rendering import Statement, render_folder

# Number of key groups. Never change it: Flink stores keyed state by key group.
MAX_PARALLELISM = 128
# In a bounded job no partition needs to become idle: each one comes to its end. With the usual
# timeout, on a busy machine, the watermark would pass a slow partition, and its clicks would be
# missing from the rows of checkouts in other partitions.
BOUNDED_IDLE_TIMEOUT_SECONDS = 24 * 3600
# The table of events. The uid of its source is `read`, that of a table of changes `read-<table>`.
EVENT_SOURCE = "messages"


class SubmissionError(TributaryError):
    """The job can't be submitted."""


def sql_variables(
    pipeline: Pipeline, environment: Mapping[str, str], *, is_bounded: bool = False
) -> dict[str, str | int]:
    """The variables of the SQL files; a bounded job ends at what the topics hold at its start."""
    return {
        "bounded_mode": "latest-offset" if is_bounded else "unbounded",
        "lake_catalog": pipeline.lake.catalog,
        "lake_warehouse": pipeline.lake.warehouse,
        "catalog_jdbc_uri": environment["CATALOG_JDBC_URI"],
        "catalog_user": environment["CATALOG_USER"],
        "catalog_password": environment["CATALOG_PASSWORD"],
        "s3_endpoint": environment["S3_ENDPOINT"],
        "kafka_bootstrap_servers": environment["KAFKA_BOOTSTRAP_SERVERS"],
        "kafka_protocol": environment["KAFKA_SECURITY_PROTOCOL"],
        "kafka_mechanism": environment["KAFKA_SASL_MECHANISM"],
        "kafka_jaas": kafka_jaas(
            environment["KAFKA_SASL_USERNAME"], environment["KAFKA_SASL_PASSWORD"], FLINKS_KAFKA
        ),
        "consumer_group": CONSUMER_GROUP,
        "clickstream_topic": pipeline.topics.clickstream,
        "checkouts_topic": pipeline.topics.checkouts,
        "users_changes_topic": pipeline.topics.changes("users"),
        "products_changes_topic": pipeline.topics.changes("products"),
        "ad_spend_changes_topic": pipeline.topics.changes("ad_spend"),
        "out_of_orderness_seconds": pipeline.watermark.out_of_orderness_seconds,
        "idle_timeout_seconds": (
            BOUNDED_IDLE_TIMEOUT_SECONDS if is_bounded else pipeline.watermark.idle_timeout_seconds
        ),
        "max_future_seconds": pipeline.contract.max_future_seconds,
        "max_message_bytes": pipeline.topics.max_message_bytes,
        "max_characters_of_changes": pipeline.changes.max_characters,
        **event_variables(pipeline.contract),
        "is_of_a_known_user": is_none_of("user_id", pipeline.attribution.unknown_user_ids),
        "has_a_known_id": is_none_of("click_id", pipeline.attribution.unknown_ids),
        "unknown_ids": sql_literal("\n".join(pipeline.attribution.unknown_ids)),
        "lookback_seconds": pipeline.attribution.lookback_seconds,
        "max_touchpoints": pipeline.attribution.max_touchpoints,
        "max_clicks_per_user": pipeline.attribution.max_clicks_per_user,
    }


def job_configuration(settings: Settings, jar: Path, restore_point: str | None) -> dict[str, str]:
    """The options of the job, as opposed to those of the cluster (cluster/config.yaml)."""
    flink = settings.pipeline.flink
    configuration = {
        "execution.target": "remote",
        "rest.address": settings.topology.flink.host,
        "rest.port": str(settings.topology.flink.rest_port),
        "execution.attached": "false",
        "pipeline.name": JOB_NAME,
        "pipeline.jars": jar.resolve().as_uri(),
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "parallelism.default": str(flink.parallelism),
        **_checkpointing(settings),
        **_planning(),
        # Flink passes rows between operators without a copy. That is safe here: none of our
        # operators keeps or changes a row that it has emitted.
        "pipeline.object-reuse": "true",
        # Keep restarting, however long a fault lasts (an outage of the store, say). A fault that
        # keeps coming back causes at most three restarts a minute.
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "20 s",
        "restart-strategy.exponential-delay.backoff-multiplier": "2.0",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
    }
    if restore_point:
        configuration["execution.state-recovery.path"] = restore_point
        # The job owns what it resumed from, and deletes it once it has newer checkpoints.
        configuration["execution.state-recovery.claim-mode"] = "CLAIM"
    return configuration


def _checkpointing(settings: Settings) -> dict[str, str]:
    flink = settings.pipeline.flink
    return {
        "execution.checkpointing.interval": f"{flink.checkpoint_interval_seconds} s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        # apache/iceberg#15846: with unaligned checkpoints the sink can lose files.
        "execution.checkpointing.unaligned.enabled": "false",
        "execution.checkpointing.timeout": "10 min",
        "execution.checkpointing.tolerable-failed-checkpoints": "3",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "2",
        "execution.checkpointing.dir": state_url(settings, "checkpoints"),
        "execution.checkpointing.savepoint-dir": state_url(settings, "savepoints"),
        "execution.checkpointing.incremental": "true",
        "state.backend.type": flink.state_backend,
    }


def _planning() -> dict[str, str]:
    return {
        # Plan and run a part once if several inserts read it.
        "table.optimizer.reuse-sub-plan-enabled": "true",
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
        # `assign_ids` gives operators with state their uids.
        "table.exec.uid.generation": "DISABLED",
        # apache/iceberg#18098: the newer sink can drop commits silently after a restart.
        "table.exec.iceberg.use-v2-sink": "false",
        "table.local-time-zone": "UTC",
    }


def plan_job(
    configuration: Mapping[str, str], statements: list[Statement]
) -> StreamExecutionEnvironment:
    """Plan the whole job as one graph, without submitting it."""
    environment = _open_environment(configuration)
    tables = StreamTableEnvironment.create(environment)
    inserts = tables.create_statement_set()
    for statement in statements:
        if statement.is_insert:
            inserts.add_insert_sql(statement.text)
        elif statement.is_query:
            tables.create_temporary_view(statement.name, tables.sql_query(statement.text))
        else:
            tables.execute_sql(statement.text)
    inserts.attach_as_datastream()
    assign_ids(environment)
    return environment


def _open_environment(configuration: Mapping[str, str]) -> StreamExecutionEnvironment:
    """An environment for `execution.target`; the one that PyFlink makes is always local."""
    is_remote = configuration["execution.target"] == "remote"
    options = {**(_read_tls_options() if is_remote else {}), **configuration}
    settings = Configuration()
    for key, value in options.items():
        settings.set_string(key, value)
    streaming = get_gateway().jvm.org.apache.flink.streaming.api.environment
    return StreamExecutionEnvironment(
        streaming.StreamExecutionEnvironment(settings._j_configuration)
    )


def _read_tls_options() -> dict[str, str]:
    """How the cluster's REST API is reached, from cluster/config.yaml as rendered."""
    flink = get_gateway().jvm.org.apache.flink
    options = flink.configuration.GlobalConfiguration.loadConfiguration().toMap()
    return {key: value for key, value in options.items() if key.startswith("security.ssl.")}


def assign_ids(environment: StreamExecutionEnvironment) -> list[str]:
    """Give every operator with state a fixed uid, and return the uids.

    With it the operator finds its state again after the job around it changes. The planner's uids
    are numbers in the plan, and Iceberg's sink has none. Without ours, both would change with the
    SQL, and Iceberg's with the parallelism too.
    """
    ids = []
    for sink in environment._j_stream_execution_environment.getTransformations():
        table = sink.getName().removeprefix("IcebergSink ")
        for transformation in _upstream(sink):
            identifier = _stable_id(transformation, table)
            if identifier:
                transformation.setUid(identifier)
                # Iceberg sets 1 for its committer: its state would then fit no other parallelism.
                transformation.setMaxParallelism(MAX_PARALLELISM)
            if transformation.getUid():
                ids.append(transformation.getUid())
    return sorted(set(ids))


def _upstream(transformation: Any) -> Iterator[Any]:
    """The transformation, and every transformation upstream of it."""
    yield transformation
    for source in transformation.getInputs():
        yield from _upstream(source)


def _stable_id(transformation: Any, table: str) -> str | None:
    """The uid that we give; None for others. The attribution function gets its uid in SQL."""
    name = transformation.getName()
    if transformation.getClass().getSimpleName() == "SourceTransformation":
        source = name.rpartition(".")[2].partition("[")[0]  # as in `users_changes[8]`
        return "read" if source == EVENT_SOURCE else f"read-{source}"
    if name in ("IcebergStreamWriter", "IcebergFilesCommitter"):
        return f"{name}-{table}"
    return None


def submit(settings: Settings, jar: Path) -> tuple[str, str | None]:
    """Submit the job; return its id and the URL of what it resumes from (None on a first start).

    A file lock lets one submission run at a time. A second one waits, and then finds the job
    running. Without the lock it would wait for slots, and then resume from a checkpoint that is no
    longer the newest.

    Raises:
        SubmissionError: the job runs already, or Flink refuses it.
        ClusterError: the cluster or the store does not answer.
        TemplateError: the SQL files and the settings do not match.
    """
    with (settings.state / "data/submission.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _submit(settings, jar)


def _submit(settings: Settings, jar: Path) -> tuple[str, str | None]:
    running = Cluster(settings).attribution_job()
    if running and not running.has_ended:
        raise SubmissionError(
            f"job {JOB_NAME} is already {running.state.lower()} ({running.job_id}), and two jobs"
            " would write every row twice; stop it first with `make stop`"
        )
    secrets = load_secrets(settings)
    restore_point = find_newest_restore_point(settings, secrets)
    environment = flink_environment(settings, secrets)
    variables = sql_variables(settings.pipeline, environment)
    configuration = job_configuration(settings, jar, restore_point)
    statements = render_folder(variables)
    with java_errors_explained():
        job = plan_job(configuration, statements).execute_async(JOB_NAME)
    return str(job.get_job_id()), restore_point


@contextmanager
def java_errors_explained() -> Iterator[None]:
    """Turn every error from Flink's Java into a `SubmissionError`."""
    try:
        yield
    except (Py4JJavaError, TableException) as error:
        raise SubmissionError(_explain(error)) from None


def _explain(error: Exception) -> str:
    """The causes of a Java error, without the stack traces."""
    lines = str(error).splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return "Flink refuses the job:\n  " + "\n  ".join(causes or lines[:3])


def main() -> int:
    """Submit the job and print its id and what it resumes from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jar", type=Path, required=True, help="the jar from flink_jobs.build")
    try:
        job_id, restore_point = submit(load_settings(), parser.parse_args().jar)
    except TributaryError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(f"job {job_id} resumes from {restore_point or 'nothing (first start)'}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
