"""MinIO: buckets for tables and for Flink's state, and one user for each service."""

import json
from typing import Any

from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider

from configuration import REPOSITORY
from configuration.secrets import Secrets
from configuration.settings import S3Address
from configuration.templates import render
from infra.services.model import Lakehouse, Service, SetupStep
from infra.services.probes import HttpProbe

# Users of an earlier version, whose names everybody could guess.
FORMER_USERS = ("flink", "trino", "analyst")
# The origin whose web pages may read MinIO's answers. No page's origin is called so, and an empty
# value would mean all pages.
NO_ORIGIN = "none"
POLICIES = REPOSITORY / "minio/policies"


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the object store."""
    address = lakehouse.settings.topology.s3
    data = lakehouse.data / "minio"
    return Service(
        name="minio",
        command=[
            lakehouse.parts.root / "minio/minio",
            "server",
            "--quiet",
            "--address",
            lakehouse.bind(address.port),
            "--console-address",
            lakehouse.bind(address.console_port),
            data,
        ],
        environment={
            "MINIO_ROOT_USER": lakehouse.secrets.s3_root_access_key,
            "MINIO_ROOT_PASSWORD": lakehouse.secrets.s3_root_secret_key,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER_REDIRECT": "off",
            "MINIO_API_CORS_ALLOW_ORIGIN": NO_ORIGIN,
            "GOMEMLIMIT": "512MiB",
        },
        folders=(data,),
        # MinIO's health endpoint answers before MinIO has loaded users and policies. Loading then
        # overwrites users that were added meanwhile. The console starts after loading: probe that.
        probe=HttpProbe(f"http://{address.host}:{address.console_port}"),
        ports=("s3.port", "s3.console_port"),
    )


def ensure_buckets(lakehouse: Lakehouse) -> None:
    """Create both buckets, and a user with its own policy for each service."""
    address = lakehouse.settings.topology.s3
    lake = lakehouse.settings.pipeline.lake
    secrets = lakehouse.secrets
    server = store_as_root(address, secrets)
    client = Minio(**server)
    for bucket in (lake.bucket, lake.state_bucket):
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    admin = MinioAdmin(**server)
    users = {
        "flink": (
            secrets.s3_flink_access_key,
            secrets.s3_flink_secret_key,
            {"bucket", "state_bucket"},
        ),
        "trino": (secrets.s3_trino_access_key, secrets.s3_trino_secret_key, {"bucket"}),
        "analyst": (secrets.s3_analyst_access_key, secrets.s3_analyst_secret_key, {"bucket"}),
    }
    for user, (access_key, secret_key, names) in users.items():
        values = lake.model_dump(include=names)
        admin.policy_add(user, policy=json.loads(render(POLICIES / f"{user}.json", values)))
        admin.user_add(access_key, secret_key)
        admin.policy_set(user, user=access_key)
    for name in json.loads(admin.user_list()):
        if name in FORMER_USERS:
            admin.user_remove(name)


def store_as_root(address: S3Address, secrets: Secrets) -> dict[str, Any]:
    """Return the arguments with which MinIO's clients connect as root."""
    return {
        "endpoint": address.authority,
        "region": address.region,
        "secure": False,
        "credentials": StaticProvider(secrets.s3_root_access_key, secrets.s3_root_secret_key),
    }


SETUP_STEPS = (SetupStep("buckets", ensure_buckets, ("minio",)),)
