"""MinIO keeps a policy that is added as soon as its probe holds."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from minio.minioadmin import MinioAdmin

from infra.install.parts import Parts
from infra.services.minio import store_as_root
from infra.services.model import Lakehouse, Service
from infra.services.registry import find_service
from tests.support.scratch import describe_scratch

SECONDS = 60
# MinIO reads all policies at each start. Many of them make that slow, so that the test is more
# likely to add one while MinIO still reads.
POLICIES = 100
STARTS = 6
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::some/*"]}],
}


@pytest.fixture
def described(parts: Parts, tmp_path: Path) -> Lakehouse:
    return describe_scratch(tmp_path, parts)


@contextmanager
def running_minio(described: Lakehouse) -> Iterator[None]:
    """Run MinIO; yields at the very moment at which its probe holds."""
    minio = find_service(described, "minio")
    environment = os.environ | minio.environment
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        [*map(str, minio.command)], env=environment, stdout=silent, stderr=silent
    ) as process:
        try:
            wait_without_pause(minio)
            yield
        finally:
            process.terminate()


def wait_without_pause(service: Service) -> None:
    """Wait for the probe, without pauses: a pause could miss the moment that the test needs."""
    deadline = time.monotonic() + SECONDS
    assert service.probe
    while not service.probe.is_ready():
        assert time.monotonic() < deadline, "MinIO's probe never held"


def test_policies_added_as_soon_as_minio_is_ready_are_kept(
    described: Lakehouse,
) -> None:
    admin = MinioAdmin(**store_as_root(described.settings.topology.s3, described.secrets))
    for start in range(STARTS):
        with running_minio(described):
            for number in range(POLICIES):
                name = f"policy-{start}-{number}"
                admin.policy_add(name, policy=POLICY)
                assert json.loads(admin.policy_info(name)) == POLICY
