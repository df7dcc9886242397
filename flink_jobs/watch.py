"""Watching: keeps the job submitted, one run of this process for each life of the job.

It submits the job if none runs, then looks on. When the job has ended or the cluster has
forgotten it, it exits with an error, for the supervisor to start it again: the next run resubmits
from the newest checkpoint. SIGTERM ends it and leaves the job alone; SIGINT, which is how
containers stop it, stops the job too, with a savepoint.
"""

import argparse
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from configuration import REPOSITORY
from configuration.errors import TributaryError
from configuration.settings import Settings, load_settings
from flink_jobs.cluster import Cluster, ClusterError, stop_with_savepoint

POLL_SECONDS = 5
# A JobManager that the supervisor starts again answers well within this.
CLUSTER_SECONDS = 180

log = logging.getLogger("watch")


class JobEndedError(TributaryError):
    """The job does not run any more."""


def watch(settings: Settings, jar: Path) -> None:
    """Submit the job if it does not run, and return only by an error.

    Raises:
        JobEndedError: the job ended, or could not be submitted.
        ClusterError: the cluster did not answer for `CLUSTER_SECONDS`.
    """
    cluster = Cluster(settings.topology.flink.url)
    if not _has_live_job(cluster):
        _submit(settings, jar)
    while _has_live_job(cluster):
        time.sleep(POLL_SECONDS)
    job = cluster.attribution_job()
    raise JobEndedError(f"the job is {job.state.lower() if job else 'gone'}; resubmitting it")


def _has_live_job(cluster: Cluster) -> bool:
    """Ask with patience: the cluster may be starting again."""
    waiting = Retrying(
        stop=stop_after_delay(CLUSTER_SECONDS),
        wait=wait_fixed(1),
        retry=retry_if_exception_type(ClusterError),
        reraise=True,
    )
    job = waiting(cluster.attribution_job)
    return job is not None and not job.has_ended


def _submit(settings: Settings, jar: Path) -> None:
    """Run the submission in Flink's Python environment; its words go to our output."""
    python = settings.virtualenv_python("flink")
    command = [str(python), "-m", "flink_jobs.submission", "--jar", str(jar)]
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    if done.returncode != 0:
        raise JobEndedError("the job could not be submitted; the lines above say why")


def main() -> int:
    """Watch until the job ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jar", type=Path, required=True, help="what flink_jobs.build made")
    try:
        settings = load_settings()
        return _watch_until_interrupted(settings, parser.parse_args().jar)
    except TributaryError as error:
        log.error("%s", error)
    return 1


def _watch_until_interrupted(settings: Settings, jar: Path) -> int:
    try:
        watch(settings, jar)
    except KeyboardInterrupt:
        log.info("stopping the job with a savepoint")
        log.info("the next start resumes from %s", stop_with_savepoint(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
