"""MinIO keeps a policy that is added as soon as its probe holds."""

import json
from pathlib import Path

import pytest
from minio.minioadmin import MinioAdmin

from infra.install.parts import Parts
from infra.services.minio import store_as_root
from infra.services.model import Lakehouse
from tests.support.object_store import running_minio
from tests.support.scratch import describe_scratch

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
