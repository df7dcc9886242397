"""The running job as Flink's REST API tells it, and its checkpoints as S3 does.

Questions raise `ClusterError` where the cluster does not answer; none changes anything but
`stop_with_savepoint`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from minio import Minio
from minio.error import MinioException
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed
from urllib3.exceptions import HTTPError

from configuration.environment import flink_environment
from configuration.errors import TributaryError
from configuration.secrets import Secrets, load_secrets
from configuration.settings import Settings

JOB_NAME = "attribution"
CONSUMER_GROUP = "tributary-attribution"
REST_SECONDS = 10
SAVEPOINT_SECONDS = 120
ENDED_STATES = frozenset({"FINISHED", "CANCELED", "FAILED", "SUSPENDED"})


class ClusterError(TributaryError):
    """The cluster does not answer, or refuses."""


@dataclass(frozen=True)
class Job:
    """A job of the cluster; `state` is Flink's word, such as RUNNING or FAILED."""

    job_id: str
    name: str
    state: str
    started_at_ms: int
    has_all_tasks_running: bool

    @property
    def has_ended(self) -> bool:
        """Whether it will never run again by itself."""
        return self.state in ENDED_STATES


class Cluster:
    """A session cluster by the address of its REST API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def jobs(self) -> list[Job]:
        """All jobs that the cluster remembers, the newest first.

        Raises:
            ClusterError: the cluster does not answer.
        """
        jobs = [_read_job(entry) for entry in self._get("/jobs/overview")["jobs"]]
        return sorted(jobs, key=lambda job: job.started_at_ms, reverse=True)

    def attribution_job(self) -> Job | None:
        """Our job: one that has not ended, else the last one that has; None if there was none."""
        jobs = [job for job in self.jobs() if job.name == JOB_NAME]
        return next((job for job in jobs if not job.has_ended), jobs[0] if jobs else None)

    def checkpoint_age_seconds(
        self, job_id: str, clock: Callable[[], float] = time.time
    ) -> float | None:
        """Seconds since the newest completed checkpoint; None before the first."""
        newest = self._get(f"/jobs/{job_id}/checkpoints")["latest"]["completed"]
        if newest is None:
            return None
        return float(clock() - newest["latest_ack_timestamp"] / 1000)

    def stop_job(self, job_id: str, savepoint_folder: str) -> str:
        """Stop a job with a savepoint and return where it is; all tables are committed.

        The savepoint is of the canonical format: it can be resumed with another state backend.

        Raises:
            ClusterError: no savepoint was made in time; the job then runs on.
        """
        request = {"targetDirectory": savepoint_folder, "drain": False, "formatType": "CANONICAL"}
        trigger = self._send(f"/jobs/{job_id}/stop", request)["request-id"]
        waiting = Retrying(
            stop=stop_after_delay(SAVEPOINT_SECONDS),
            wait=wait_fixed(0.5),
            retry=retry_if_result(lambda reply: reply["status"]["id"] != "COMPLETED"),
        )
        try:
            reply = waiting(self._get, f"/jobs/{job_id}/savepoints/{trigger}")
        except RetryError:
            raise ClusterError(
                f"no savepoint of job {job_id} within {SAVEPOINT_SECONDS} s; see {self._url}"
            ) from None
        operation = reply["operation"]
        if "location" not in operation:
            cause = operation["failure-cause"]["class"]
            raise ClusterError(f"no savepoint of job {job_id}: {cause}; see {self._url}")
        return str(operation["location"])

    def _get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def _send(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            reply = requests.request(method, self._url + path, json=body, timeout=REST_SECONDS)
            reply.raise_for_status()
        except requests.RequestException as error:
            raise ClusterError(
                f"Flink at {self._url} does not answer {path}: {type(error).__name__};"
                " `make status` tells whether it runs"
            ) from None
        return reply.json()


def _read_job(entry: dict[str, Any]) -> Job:
    tasks = entry["tasks"]
    return Job(
        job_id=entry["jid"],
        name=entry["name"],
        state=entry["state"],
        started_at_ms=entry["start-time"],
        has_all_tasks_running=tasks["total"] > 0 and tasks["running"] == tasks["total"],
    )


def state_url(settings: Settings, kind: str) -> str:
    """Where `checkpoints` or `savepoints` are kept."""
    return f"s3://{settings.pipeline.lake.state_bucket}/{kind}"


def find_newest_restore_point(settings: Settings, secrets: Secrets) -> str | None:
    """URL of the newest completed checkpoint or savepoint; None before the first.

    Newest by the store's clock. It must be the newest: from an older one the job would write
    again what was committed since.

    Raises:
        ClusterError: the store does not answer, or refuses.
    """
    environment = flink_environment(settings, secrets)
    store = Minio(
        settings.topology.s3.authority,
        environment["S3_ACCESS_KEY_ID"],
        environment["S3_SECRET_ACCESS_KEY"],
        secure=environment["S3_ENDPOINT"].startswith("https"),
        region=environment["S3_REGION"],
    )
    bucket = settings.pipeline.lake.state_bucket
    try:
        completed = [
            entry
            for kind in ("checkpoints/", "savepoints/")
            for entry in store.list_objects(bucket, prefix=kind, recursive=True)
            if entry.object_name.endswith("/_metadata")  # written last, whole
        ]
    except (HTTPError, MinioException) as error:
        raise ClusterError(
            f"the store at {settings.topology.s3.authority} does not say which checkpoint is the"
            f" newest ({type(error).__name__}); `make logs SERVICE=minio` says what it is doing"
        ) from None
    if not completed:
        return None
    newest = max(completed, key=lambda entry: entry.last_modified)
    return f"s3://{bucket}/{newest.object_name.removesuffix('/_metadata')}"


def stop_with_savepoint(settings: Settings) -> str | None:
    """Stop our job; the next submission resumes from what is returned, None if from nothing.

    Where no savepoint can be made (the job is restarting), that is its newest checkpoint.
    """
    cluster = Cluster(settings.topology.flink.url)
    try:
        job = cluster.attribution_job()
        if job is not None and not job.has_ended:
            return cluster.stop_job(job.job_id, state_url(settings, "savepoints"))
    except ClusterError:
        pass
    return find_newest_restore_point(settings, load_secrets(settings))
