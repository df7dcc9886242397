"""Flink: a session cluster, and the service that keeps the attribution job running on it."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from configuration import REPOSITORY
from configuration.environment import flink_environment
from configuration.templates import render
from flink_jobs.cluster import JOB_NAME
from flink_jobs.lake_tables import ensure_tables, open_catalog
from infra.services.flink_identity import (
    ensure_flink_identity,
    internal_keystore,
    rest_keystore,
)
from infra.services.model import (
    Lakehouse,
    Service,
    SetupStep,
    archive_options,
    find_archive,
    topology_environment,
)
from infra.services.probes import FlinkJobProbe, FlinkProbe

FLINK_CONFIGURATION = REPOSITORY / "flink_jobs/cluster"
# Flink's client runs for seconds only. The second JIT compiler took half of its CPU time, in vain.
PLANNING_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def describe_cluster(lakehouse: Lakehouse) -> Iterator[Service]:
    """Yield JobManager and TaskManager."""
    scripts = lakehouse.parts.flink_home / "bin"
    settings = lakehouse.settings
    topology, pipeline = settings.topology, settings.pipeline
    for name, slots in (("jobmanager", 0), ("taskmanager", pipeline.flink.parallelism)):
        archive = find_archive(lakehouse, name, 21, "flink-distribution/lib")
        yield Service(
            name=name,
            command=["bash", scripts / f"{name}.sh", "start-foreground"],
            environment={
                **flink_process_environment(lakehouse),
                **_script_paths(lakehouse),
                # Flink's scripts pass this to the JVM unquoted, so paths in it must be relative.
                "JVM_ARGS": " ".join(archive_options(archive, lakehouse.parts.root)),
            },
            directory=lakehouse.parts.root,
            archive=archive,
            files=_flink_configuration(lakehouse),
            folders=(lakehouse.data / "flink", settings.logs / "flink"),
            reads=(
                internal_keystore(settings),
                rest_keystore(settings),
                settings.flink_identity_file,
            ),
            after=("flink-identity",),
            probe=FlinkProbe(topology.flink.url, slots, str(settings.flink_identity_file)),
            ports=("flink.rest_port", "flink.rpc_port") if name == "jobmanager" else (),
        )


def _script_paths(lakehouse: Lakehouse) -> dict[str, str]:
    """Return two paths relative to the parts folder.

    Flink's scripts don't quote them, and an absolute path may contain a space.
    """
    parts = lakehouse.parts.root
    scratch = os.path.relpath((lakehouse.data / "flink").resolve(), parts.resolve())
    return {"FLINK_LIB_DIR": "flink-distribution/lib", "FLINK_PID_DIR": scratch}


def flink_process_environment(lakehouse: Lakehouse) -> dict[str, str]:
    """Return the environment variables of Flink's scripts and its Python client."""
    return {
        **flink_environment(lakehouse.settings, lakehouse.secrets),
        # The S3 clients of Flink and Iceberg read the AWS SDK's variables.
        "AWS_ACCESS_KEY_ID": lakehouse.secrets.s3_flink_access_key,
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
    """Render the configuration of the cluster's processes and the job's client."""
    network = lakehouse.settings.topology.network
    address = lakehouse.settings.topology.flink
    s3 = lakehouse.settings.topology.s3
    text = render(
        FLINK_CONFIGURATION / "config.yaml",
        {
            "host": address.host,
            "taskmanager_host": address.taskmanager_host,
            "bind_host": network.bind_host,
            "rest_port": address.rest_port,
            "rpc_port": address.rpc_port,
            "jobmanager_memory_mb": address.jobmanager_memory_mb,
            "taskmanager_memory_mb": address.taskmanager_memory_mb,
            "managed_memory_mb": address.managed_memory_mb,
            "slots": lakehouse.settings.pipeline.flink.parallelism,
            "s3_endpoint": s3.endpoint,
            "s3_region": s3.region,
            "scratch_folder": lakehouse.data / "flink",
            "internal_keystore": internal_keystore(lakehouse.settings),
            "rest_keystore": rest_keystore(lakehouse.settings),
            "keystore_password": lakehouse.secrets.flink_keystore_password,
        },
    )
    folder = lakehouse.configuration / "flink"
    logging = FLINK_CONFIGURATION.glob("log4j-*.properties")
    return {
        folder / "config.yaml": text,
        **{folder / file.name: file.read_text() for file in logging},
    }


def describe_job(lakehouse: Lakehouse) -> Service:
    """Describe the service that submits the job and resubmits it from its newest checkpoint."""
    settings = lakehouse.settings
    return Service(
        name="attribution",
        command=[
            settings.virtualenv_python("flink"),
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
        grants=(
            "kafka_flink_password",
            "postgres_catalog_password",
            "s3_flink_access_key",
            "s3_flink_secret_key",
        ),
        reads=(rest_keystore(settings), settings.flink_identity_file),
        probe=FlinkJobProbe(
            settings.topology.flink.url, JOB_NAME, str(settings.flink_identity_file)
        ),
        ready_seconds=180,
        # Don't wait for the TaskManager: planning takes seconds, and the job waits for slots.
        after=("jobmanager", "tables", "topics"),
    )


def ensure_lake_tables(lakehouse: Lakehouse) -> None:
    """Create the catalog's own tables and all tables that Flink writes; add missing columns."""
    ensure_tables(open_catalog(lakehouse.settings, lakehouse.secrets))


def ensure_identity(lakehouse: Lakehouse) -> None:
    """Create Flink's certificates and the login of its front door, unless they are valid."""
    ensure_flink_identity(lakehouse.settings, lakehouse.secrets, datetime.now(UTC))


SETUP_STEPS = (
    SetupStep("flink-identity", ensure_identity),
    SetupStep("tables", ensure_lake_tables, ("databases", "buckets")),
)
