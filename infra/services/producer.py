"""The simulated shop, as a service."""

from configuration import REPOSITORY
from infra.services.model import Lakehouse, Service, tools_python, topology_environment


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the producer, which sends events at the rate in the settings."""
    return Service(
        name="producer",
        command=[tools_python(lakehouse), "-m", "producer"],
        environment=topology_environment(lakehouse),
        directory=REPOSITORY,
        grants=("kafka_producer_password", "postgres_shop_password"),
        after=("topics", "shop-tables", "attribution"),
    )
