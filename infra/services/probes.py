"""Probes: check whether a service answers real requests.

A probe can be written as JSON, so that a container can run its own. The healthcheck of each
container is `python -m infra.services.probes FILE`. FILE is that JSON, written by
topologies/containers.py. The exit code is 0 if the service is ready.

The healthcheck runs in the small virtual environment `probe`, so this module imports nothing else
of ours. It runs often, so each probe imports only its own client (0.05 to 0.2 s of CPU).
"""
# ruff: noqa: PLC0415

import json
import sys
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REQUEST_SECONDS = 10


class Probe(ABC):
    """A readiness check of one service."""

    @abstractmethod
    def holds(self) -> bool:
        """Return whether the service is ready; a service that is not may also raise any error."""

    def is_ready(self) -> bool:
        """Return whether the service is ready; treat every error as not ready."""
        try:
            return self.holds()
        except Exception:
            return False

    def to_json(self) -> str:
        """Return the JSON that `read_probe` reads."""
        return json.dumps({"kind": type(self).__name__, **asdict(self)})  # type: ignore[call-overload]


@dataclass(frozen=True)
class PostgresProbe(Probe):
    """PostgreSQL is ready if a login succeeds."""

    host: str
    port: int
    user: str
    password: str

    def holds(self) -> bool:
        """Log in."""
        import psycopg2

        psycopg2.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname="postgres",
            connect_timeout=REQUEST_SECONDS,
        ).close()
        return True


def broker_client(servers: str, identity: str, log_level: int) -> dict[str, Any]:
    """Return the options of a librdkafka client that presents the broker's certificate.

    Args:
        servers: address of the broker's own listener.
        identity: file with the certificate, which is also the only one that the client trusts.
        log_level: a syslog level.
    """
    return {
        "bootstrap.servers": servers,
        "security.protocol": "SSL",
        "ssl.ca.location": identity,
        "ssl.certificate.location": identity,
        "ssl.key.location": identity,
        "log_level": log_level,
    }


@dataclass(frozen=True)
class KafkaProbe(Probe):
    """Kafka is ready if the broker lists itself in the metadata.

    `identity` is the file with the broker's certificate, which this listener asks for.
    """

    bootstrap_servers: str
    identity: str

    def holds(self) -> bool:
        """Ask for the cluster's metadata."""
        from confluent_kafka.admin import AdminClient

        client = AdminClient(broker_client(self.bootstrap_servers, self.identity, log_level=0))
        return bool(client.list_topics(timeout=2).brokers)


@dataclass(frozen=True)
class HttpProbe(Probe):
    """A server is ready if a GET request succeeds; it logs in if `user` is set."""

    url: str
    user: str = ""
    password: str = ""

    def holds(self) -> bool:
        """Request the URL."""
        import requests

        login = (self.user, self.password) if self.user else None
        return requests.get(self.url, auth=login, timeout=REQUEST_SECONDS).ok


@dataclass(frozen=True)
class FlinkProbe(Probe):
    """A Flink cluster is ready if it has at least `slots` slots.

    `identity` is the file with the certificate that the REST API asks for, here and below.
    """

    url: str
    slots: int
    identity: str

    def holds(self) -> bool:
        """Ask the JobManager for the number of slots of its TaskManagers."""
        overview = _get(f"{self.url}/overview", self.identity)
        return bool(overview["slots-total"] >= self.slots)


@dataclass(frozen=True)
class FlinkJobProbe(Probe):
    """The job is ready if a job of this name runs with all of its tasks."""

    url: str
    job_name: str
    identity: str

    def holds(self) -> bool:
        """Ask the JobManager."""
        jobs = _get(f"{self.url}/jobs/overview", self.identity)["jobs"]
        return any(
            job["name"] == self.job_name
            and job["state"] == "RUNNING"
            and job["tasks"]["running"] == job["tasks"]["total"] > 0
            for job in jobs
        )


@dataclass(frozen=True)
class TrinoProbe(Probe):
    """Trino is ready if a query returns its row.

    Trino reports that it has started seconds before it can run a query.
    """

    url: str
    user: str
    password: str
    ca_file: str

    def holds(self) -> bool:
        """Run one query to its end."""
        import requests

        with requests.Session() as session:
            session.trust_env = False  # else REQUESTS_CA_BUNDLE would override `verify`
            session.verify = self.ca_file
            session.auth = (self.user, self.password)
            answer = session.post(
                f"{self.url}/v1/statement", "select 1", timeout=REQUEST_SECONDS
            ).json()
            rows = answer.get("data", [])
            while "nextUri" in answer:
                answer = session.get(answer["nextUri"], timeout=REQUEST_SECONDS).json()
                rows += answer.get("data", [])
        return bool(rows == [[1]])


def _get(url: str, identity: str) -> Any:
    import requests

    reply = requests.get(url, cert=identity, verify=identity, timeout=REQUEST_SECONDS)
    reply.raise_for_status()
    return reply.json()


KINDS: dict[str, type[Probe]] = {kind.__name__: kind for kind in Probe.__subclasses__()}


def read_probe(file: Path) -> Probe:
    """Read a probe that `to_json` wrote."""
    fields = json.loads(file.read_text())
    return KINDS[fields.pop("kind")](**fields)


def main(file: Path) -> int:
    """Run the probe once and return the exit code.

    A failure prints one line to stderr, which `docker inspect` shows.
    """
    try:
        if read_probe(file).holds():
            return 0
        reason = "it answers, but is not ready"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    print(reason.partition("\n")[0], file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
