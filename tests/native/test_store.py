"""MinIO keeps what it knows: policies added early, and the data of an earlier version."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.credentials import StaticProvider
from minio.error import S3Error
from minio.minioadmin import MinioAdmin

from infra.install.parts import Parts
from infra.services.minio import FORMER_USERS, ensure_buckets, store_as_root
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


def test_data_is_kept_when_guessable_users_are_replaced(described: Lakehouse) -> None:
    """An earlier version had the users root, flink, trino and analyst."""
    secrets, bucket = described.secrets, described.settings.pipeline.lake.bucket
    with running_minio(described, MINIO_ROOT_USER="root"):
        root = log_in(described, "root", secrets.s3_root_secret_key)
        Minio(**root).make_bucket(bucket)
        Minio(**root).put_object(bucket, "kept", io.BytesIO(b"data"), 4)
        admin = MinioAdmin(**root)
        admin.policy_add("any", policy=POLICY)
        for user in FORMER_USERS:
            admin.user_add(user, secrets.s3_flink_secret_key)
            admin.policy_set("any", user=user)
    with running_minio(described):
        ensure_buckets(described)
        flink = log_in(described, secrets.s3_flink_access_key, secrets.s3_flink_secret_key)
        assert Minio(**flink).get_object(bucket, "kept").data == b"data"
        former = [(user, secrets.s3_flink_secret_key) for user in FORMER_USERS]
        for user, secret_key in (*former, ("root", secrets.s3_root_secret_key)):
            with pytest.raises(S3Error, match="InvalidAccessKeyId"):
                list(Minio(**log_in(described, user, secret_key)).list_objects(bucket))


def log_in(described: Lakehouse, access_key: str, secret_key: str) -> dict[str, Any]:
    """Arguments with which MinIO's clients connect with this key."""
    root = store_as_root(described.settings.topology.s3, described.secrets)
    return {**root, "credentials": StaticProvider(access_key, secret_key)}
