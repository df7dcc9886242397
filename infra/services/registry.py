"""All services and all setup steps."""

from collections.abc import Iterator

from infra.services import (
    connect,
    flink,
    front_door,
    housekeeping,
    kafka,
    marts,
    minio,
    postgres,
    producer,
    superset,
    trino,
)
from infra.services.model import Lakehouse, Service, SetupStep

SETUP_STEPS: tuple[SetupStep, ...] = (
    *postgres.SETUP_STEPS,
    *minio.SETUP_STEPS,
    *kafka.SETUP_STEPS,
    *connect.SETUP_STEPS,
    *flink.SETUP_STEPS,
    *trino.SETUP_STEPS,
    *marts.SETUP_STEPS,
    *superset.SETUP_STEPS,
)


def find_service(lakehouse: Lakehouse, name: str) -> Service:
    """Return the service with this name."""
    [service] = [each for each in describe_services(lakehouse) if each.name == name]
    return service


def describe_services(lakehouse: Lakehouse) -> Iterator[Service]:
    """Yield every service of this lakehouse, in start order."""
    yield postgres.describe(lakehouse)
    yield minio.describe(lakehouse)
    yield kafka.describe(lakehouse)
    yield connect.describe(lakehouse)
    yield from flink.describe_cluster(lakehouse)
    yield front_door.describe(lakehouse)
    yield trino.describe(lakehouse)
    yield flink.describe_job(lakehouse)
    yield superset.describe(lakehouse)
    yield housekeeping.describe(lakehouse)
    if lakehouse.settings.is_producer_on:
        yield producer.describe(lakehouse)
