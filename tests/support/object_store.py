"""MinIO alone, without any other service."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from infra.services.model import Lakehouse, Service
from infra.services.registry import find_service

SECONDS = 60


@contextmanager
def running_minio(described: Lakehouse, **changes: str) -> Iterator[None]:
    """Run MinIO; yields at the very moment at which its probe holds.

    `changes` override its environment.
    """
    minio = find_service(described, "minio")
    environment = os.environ | minio.environment | changes
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        [*map(str, minio.command)], env=environment, stdout=silent, stderr=silent
    ) as process:
        try:
            _wait_without_pause(minio)
            yield
        finally:
            process.terminate()


def _wait_without_pause(service: Service) -> None:
    """Wait for the probe, without pauses: a pause could miss the moment that the test needs."""
    deadline = time.monotonic() + SECONDS
    assert service.probe
    while not service.probe.is_ready():
        assert time.monotonic() < deadline, "MinIO's probe never held"
