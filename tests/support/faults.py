"""Faults: break a running lakehouse on purpose, and undo it.

A fault strikes and lasts for a while. Afterwards the lakehouse must recover by itself.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import psutil
from minio import MinioAdmin

from configuration.errors import ServiceError
from configuration.secrets import load_secrets
from configuration.waiting import wait_until
from flink_jobs.cluster import Cluster, ClusterError, find_newest_restore_point
from infra.services.minio import store_as_root
from infra.topologies.supervision import Supervisor
from tests.support.lakehouses import ProxiedLakehouse
from tests.support.proxies import PROXIED

LASTING_SECONDS = 20
# A commit follows its checkpoint well within this time.
COMMIT_SECONDS = 2.5
CHECKPOINT_SECONDS = 15
# For a machine whose cores are busy with these starts; an idle one takes half a minute.
RESUME_SECONDS = 300
FLINK = ("taskmanager", "jobmanager")
SERVICES = (*FLINK, "kafka", "minio", "postgres", "trino", "connect", "producer")


class Patient:
    """A running lakehouse as a fault sees it: processes, the job, the store."""

    def __init__(self, lakehouse: ProxiedLakehouse) -> None:
        settings = lakehouse.settings
        self._settings = settings
        self._proxies = lakehouse.proxies
        self._secrets = load_secrets(settings)
        self._supervisor = Supervisor(settings)
        self._flink = Cluster(settings)

    def kill(self, service: str) -> None:
        """Send SIGKILL to the service's process."""
        os.kill(self._pid(service), signal.SIGKILL)

    @contextmanager
    def frozen(self, service: str) -> Iterator[None]:
        """Send SIGSTOP to all of the service's processes, and SIGCONT at the end."""
        main = psutil.Process(self._pid(service))
        family = [main, *main.children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Set the quota of the tables' bucket to one byte, so that MinIO refuses every write."""
        admin = MinioAdmin(**store_as_root(self._settings.topology.s3, self._secrets))
        bucket = self._settings.pipeline.lake.bucket
        admin.bucket_quota_set(bucket, 1)
        try:
            yield
        finally:
            admin.bucket_quota_clear(bucket)

    @contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """Break every connection to Kafka, PostgreSQL or MinIO, and refuse new ones."""
        with self._proxies.cut(name):
            yield

    def wait_for_checkpoint(self) -> None:
        """Return as soon as one more checkpoint is complete, or after `CHECKPOINT_SECONDS`."""
        known = find_newest_restore_point(self._settings, self._secrets)

        def is_there_another() -> bool:
            return find_newest_restore_point(self._settings, self._secrets) != known

        with suppress(ServiceError):
            wait_until(is_there_another, CHECKPOINT_SECONDS, "one more checkpoint")

    def wait_until_resumed(self, since: float) -> None:
        """Wait until every service runs and a checkpoint was completed after `since`.

        Raises:
            ServiceError: not within `RESUME_SECONDS`: the lakehouse did not recover by itself.
        """
        wait_until(lambda: self._has_resumed(since), RESUME_SECONDS, "everything to resume")

    def _has_resumed(self, since: float) -> bool:
        try:
            job = self._flink.attribution_job()
            if job is None or job.state != "RUNNING" or not job.has_all_tasks_running:
                return False
            age = self._flink.checkpoint_age_seconds(job.job_id)
        except ClusterError:
            return False
        states = [self._supervisor.state(service).is_running for service in SERVICES]
        return age is not None and time.time() - age > since and all(states)

    def _pid(self, service: str) -> int:
        """The service's process id; waits for it, as the service may be restarting."""

        def is_there() -> bool:
            return bool(self._supervisor.state(service).pid)

        wait_until(is_there, RESUME_SECONDS, f"{service} to run")
        return self._supervisor.state(service).pid or 0


@dataclass(frozen=True)
class Fault:
    """A kind of fault; the report shows its name."""

    name: str
    strike: Callable[[Patient], None]


def all_faults() -> list[Fault]:
    """Every kind of fault."""
    return [
        *(Fault(f"kill {name}", partial(Patient.kill, service=name)) for name in SERVICES),
        *(Fault(f"freeze {name}", partial(freeze, service=name)) for name in SERVICES),
        *(
            Fault(f"kill {name} before a commit", partial(kill_before_commit, service=name))
            for name in FLINK
        ),
        Fault("fill the disk", fill_disk),
        *(Fault(f"cut off {name}", partial(cut_off, name=name)) for name in PROXIED),
    ]


def plan_faults(seed: int, count: int) -> list[Fault]:
    """Choose `count` faults at random; each kind occurs once before any is repeated."""
    rng = random.Random(seed)
    kinds = all_faults()
    rounds = [rng.sample(kinds, len(kinds)) for _ in range(-(-count // len(kinds)))]
    return [fault for each in rounds for fault in each][:count]


def freeze(patient: Patient, service: str) -> None:
    """Make a service hang for a while."""
    with patient.frozen(service):
        time.sleep(LASTING_SECONDS)


def fill_disk(patient: Patient) -> None:
    """Make writes to all tables fail for a while."""
    with patient.full_disk():
        time.sleep(LASTING_SECONDS)


def cut_off(patient: Patient, name: str) -> None:
    """Cut the network to Kafka, PostgreSQL or MinIO for a while."""
    with patient.cut_off(name):
        time.sleep(LASTING_SECONDS)


def kill_before_commit(patient: Patient, service: str) -> None:
    """Kill a process when a checkpoint is complete but its commit can't reach the catalog."""
    patient.wait_for_checkpoint()
    time.sleep(COMMIT_SECONDS)
    with patient.frozen("postgres"):
        patient.wait_for_checkpoint()
        patient.kill(service)
