"""How programs log in to Kafka: SCRAM-SHA-512, with one user for each kind of program.

`infra/services/kafka_access.py` says what each user may do. SCRAM sends no password: client and
broker prove to each other that they know it. So a program that takes the broker's port learns
nothing.
"""

from configuration.secrets import Secrets
from configuration.settings import Settings

PROTOCOL = "SASL_PLAINTEXT"
MECHANISM = "SCRAM-SHA-512"
# Flink's connector contains Kafka's classes in a package of its own.
FLINKS_KAFKA = "org.apache.flink.kafka.shaded.org.apache.kafka"


def kafka_password(secrets: Secrets, user: str) -> str:
    """Return the password of a user of Kafka."""
    password: str = getattr(secrets, f"kafka_{user}_password")
    return password


def kafka_client(settings: Settings, secrets: Secrets, user: str) -> dict[str, str]:
    """Return the options of a librdkafka client that logs in as `user`."""
    return {
        "bootstrap.servers": settings.topology.kafka.authority,
        "security.protocol": PROTOCOL,
        "sasl.mechanism": MECHANISM,
        "sasl.username": user,
        "sasl.password": kafka_password(secrets, user),
    }


def kafka_jaas(user: str, password: str, package: str = "org.apache.kafka") -> str:
    """Return `sasl.jaas.config` of a Java client, whose Kafka classes are in `package`."""
    module = f"{package}.common.security.scram.ScramLoginModule"
    return f'{module} required username="{user}" password="{password}";'
