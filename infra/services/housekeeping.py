"""Housekeeping (`operations/housekeeping.py`), as a service."""

from configuration import REPOSITORY
from infra.services.model import Lakehouse, Service, tools_python, topology_environment


def describe(lakehouse: Lakehouse) -> Service:
    """Describe housekeeping: scheduled mart builds, compaction and removal of old snapshots."""
    return Service(
        name="housekeeping",
        command=[tools_python(lakehouse), "-m", "infra.operations.housekeeping"],
        environment=topology_environment(lakehouse),
        directory=REPOSITORY,
        reads=(lakehouse.settings.trino_ca_file,),
        grants=("kafka_cli_password", "trino_etl_password", "connect_admin_password"),
        after=("marts", "change-capture"),
        stop_seconds=60,
    )
