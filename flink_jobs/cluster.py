"""The running job, read from Flink's REST API, and its checkpoints, read from S3.

Every call raises `ClusterError` if the cluster does not answer. Only `stop_job` and
`stop_with_savepoint` change anything.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from configuration.environment import flink_environment
from configuration.errors import TributaryError
from configuration.flink_client import open_flink_session
from configuration.secrets import Secrets, load_secrets
from configuration.settings import Settings
from configuration.waiting import poll

JOB_NAME = "attribution"
CONSUMER_GROUP = "tributary-attribution"
REST_SECONDS = 10
SAVEPOINT_SECONDS = 120
ENDED_STATES = frozenset({"FINISHED", "CANCELED", "FAILED", "SUSPENDED"})


class ClusterError(TributaryError):
    """The cluster or the store does not answer, or refuses the request."""


@dataclass(frozen=True)
class Job:
    """A job of the cluster; `state` is Flink's own, such as RUNNING or FAILED."""

    job_id: str
    name: str
    state: str
    started_at_ms: int
    has_all_tasks_running: bool

    @property
    def has_ended(self) -> bool:
        """Whether the job is over: Flink will not restart it."""
        return self.state in ENDED_STATES


class Cluster:
    """A session cluster, asked through its REST API."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.topology.flink.url
        self._session = open_flink_session(settings)

    def jobs(self) -> list[Job]:
        """All jobs that the cluster remembers, newest first.

        Raises:
            ClusterError: the cluster does not answer.
        """
        jobs = [_read_job(entry) for entry in self._get("/jobs/overview")["jobs"]]
        return sorted(jobs, key=lambda job: job.started_at_ms, reverse=True)

    def attribution_job(self) -> Job | None:
        """The attribution job: the live one, else the newest ended one, else None.

        Raises:
            ClusterError: the cluster does not answer.
        """
        jobs = [job for job in self.jobs() if job.name == JOB_NAME]
        return next((job for job in jobs if not job.has_ended), jobs[0] if jobs else None)

    def checkpoint_age_seconds(
        self, job_id: str, clock: Callable[[], float] = time.time
    ) -> float | None:
        """Seconds since the newest completed checkpoint; None if there is none yet.

        Raises:
            ClusterError: the cluster does not answer.
        """
        newest = self._get(f"/jobs/{job_id}/checkpoints")["latest"]["completed"]
        if newest is None:
            return None
        return float(clock() - newest["latest_ack_timestamp"] / 1000)

    def stop_job(self, job_id: str, savepoint_folder: str) -> str:
        """Stop a job with a savepoint and return the savepoint's URL; all tables are committed.

        The savepoint has the canonical format, so that a job with another state backend can
        resume from it.

        Raises:
            ClusterError: the savepoint failed or took too long; the job keeps running.
        """
        request = {"targetDirectory": savepoint_folder, "drain": False, "formatType": "CANONICAL"}
        trigger = self._send(f"/jobs/{job_id}/stop", request)["request-id"]
        reply = poll(
            lambda: self._get(f"/jobs/{job_id}/savepoints/{trigger}"),
            _is_completed,
            SAVEPOINT_SECONDS,
        )
        if not _is_completed(reply):
            raise ClusterError(
                f"job {job_id} made no savepoint within {SAVEPOINT_SECONDS} s; see {self._url}"
            )
        operation = reply["operation"]
        if "location" not in operation:
            cause = operation["failure-cause"]["class"]
            raise ClusterError(f"job {job_id} made no savepoint: {cause}; see {self._url}")
        return str(operation["location"])

    def _get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def _send(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            reply = self._session.request(method, self._url + path, json=body, timeout=REST_SECONDS)
            reply.raise_for_status()
        except OSError as error:  # from requests; or the certificate does not exist yet
            raise ClusterError(
                f"Flink at {self._url} does not answer {path}: {type(error).__name__};"
                " `make status` shows whether it runs"
            ) from None
        return reply.json()


def _is_completed(reply: Any) -> bool:
    return bool(reply["status"]["id"] == "COMPLETED")


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
    """URL of the folder for `kind`, which is `checkpoints` or `savepoints`."""
    return f"s3://{settings.pipeline.lake.state_bucket}/{kind}"


def find_newest_restore_point(settings: Settings, secrets: Secrets) -> str | None:
    """URL of the newest completed checkpoint or savepoint; None if there is none yet.

    "Newest" is by the store's clock. The job must resume from the newest one: from an older one
    it would write rows again that were committed since.

    Raises:
        ClusterError: the store does not answer, or refuses the request.
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
            if entry.object_name.endswith("/_metadata")  # written last, and atomically
        ]
    except (HTTPError, MinioException) as error:
        raise ClusterError(
            f"can't list the checkpoints in the store at {settings.topology.s3.authority}"
            f" ({type(error).__name__}); see `make logs SERVICE=minio`"
        ) from None
    if not completed:
        return None
    newest = max(completed, key=lambda entry: entry.last_modified)
    return f"s3://{bucket}/{newest.object_name.removesuffix('/_metadata')}"


def stop_with_savepoint(settings: Settings) -> str | None:
    """Stop the job and return the URL from which the next submission resumes; None if none.

    That is the new savepoint. If there is none, because no job runs or because the job can't make
    one (it is restarting, say), it is the newest checkpoint or savepoint in the store.

    Raises:
        ClusterError: the store does not answer, or refuses the request.
    """
    cluster = Cluster(settings)
    try:
        job = cluster.attribution_job()
        if job is not None and not job.has_ended:
            return cluster.stop_job(job.job_id, state_url(settings, "savepoints"))
    except ClusterError:
        pass
    return find_newest_restore_point(settings, load_secrets(settings))
