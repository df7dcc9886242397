"""Submit the job if it does not run, then watch it until it ends.

When the job has ended, or the cluster no longer knows it, this process exits with an error. The
supervisor starts it again, and the new process resubmits the job from the newest checkpoint or
savepoint. SIGTERM ends this process only. SIGINT, with which containers stop it, also stops the
job, with a savepoint.
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
# A JobManager that the supervisor restarts answers well within this time.
CLUSTER_SECONDS = 180

log = logging.getLogger("watch")


class JobEndedError(TributaryError):
    """The job has ended, or could not be submitted."""


def watch(settings: Settings, jar: Path) -> None:
    """Submit the job if it does not run, then watch it. Ends only with an error.

    Raises:
        JobEndedError: the job ended, or could not be submitted.
        ClusterError: the cluster did not answer for `CLUSTER_SECONDS`.
    """
    cluster = Cluster(settings)
    if not _has_live_job(cluster):
        _submit(settings, jar)
    while _has_live_job(cluster):
        time.sleep(POLL_SECONDS)
    job = cluster.attribution_job()
    raise JobEndedError(
        f"the job is {job.state.lower() if job else 'gone'}; the supervisor resubmits it"
    )


def _has_live_job(cluster: Cluster) -> bool:
    """Whether the job is live. Retries for `CLUSTER_SECONDS`: the cluster may be restarting."""
    waiting = Retrying(
        stop=stop_after_delay(CLUSTER_SECONDS),
        wait=wait_fixed(1),
        retry=retry_if_exception_type(ClusterError),
        reraise=True,
    )
    job = waiting(cluster.attribution_job)
    return job is not None and not job.has_ended


def _submit(settings: Settings, jar: Path) -> None:
    """Run the submission in Flink's Python environment; it prints to our output."""
    python = settings.virtualenv_python("flink")
    command = [str(python), "-m", "flink_jobs.submission", "--jar", str(jar)]
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    if done.returncode != 0:
        raise JobEndedError("the job could not be submitted; see the lines above")


def main() -> int:
    """Watch the job; exit 1 when it ends, 0 when asked to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jar", type=Path, required=True, help="the jar from flink_jobs.build")
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
