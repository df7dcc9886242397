"""Probes: whether a service answers real requests. As data, so that a container can ask itself.

`python -m infra.services.probes FILE` asks as FILE says (a JSON object, written by
topologies/containers.py) and exits with 0 if the service answers: every container's healthcheck. It
runs in the small virtual environment `probe`, so this module imports nothing else of ours. It runs
often, so each probe imports only its own client (0.05 to 0.2 s of CPU).
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
    """One question to one service."""

    @abstractmethod
    def holds(self) -> bool:
        """Whether it answers as it should; what is not up yet may also raise anything."""

    def is_ready(self) -> bool:
        """Whether it holds; a service that is not up yet answers with all kinds of errors."""
        try:
            return self.holds()
        except Exception:
            return False

    def to_json(self) -> str:
        """What `read_probe` reads."""
        return json.dumps({"kind": type(self).__name__, **asdict(self)})  # type: ignore[call-overload]


@dataclass(frozen=True)
class PostgresProbe(Probe):
    """A session begins."""

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


@dataclass(frozen=True)
class KafkaProbe(Probe):
    """The broker lists itself."""

    bootstrap_servers: str

    def holds(self) -> bool:
        """Ask for the cluster's metadata."""
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        return bool(client.list_topics(timeout=2).brokers)


@dataclass(frozen=True)
class HttpProbe(Probe):
    """A page or an endpoint."""

    url: str

    def holds(self) -> bool:
        """Get it."""
        import requests

        return requests.get(self.url, timeout=REQUEST_SECONDS).ok


@dataclass(frozen=True)
class FlinkProbe(Probe):
    """A cluster with at least so many slots."""

    url: str
    slots: int

    def holds(self) -> bool:
        """Ask the JobManager, which counts its TaskManagers' slots."""
        overview = _get(f"{self.url}/overview")
        return bool(overview["slots-total"] >= self.slots)


@dataclass(frozen=True)
class FlinkJobProbe(Probe):
    """A job of this name runs with all of its tasks."""

    url: str
    job_name: str

    def holds(self) -> bool:
        """Ask the JobManager."""
        jobs = _get(f"{self.url}/jobs/overview")["jobs"]
        return any(
            job["name"] == self.job_name
            and job["state"] == "RUNNING"
            and job["tasks"]["running"] == job["tasks"]["total"] > 0
            for job in jobs
        )


@dataclass(frozen=True)
class TrinoProbe(Probe):
    """A query gives its row: the node says that it has started seconds before it can run one."""

    url: str
    user: str
    password: str
    ca_file: str

    def holds(self) -> bool:
        """Follow one query to its end."""
        import requests

        with requests.Session() as session:
            session.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
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


def _get(url: str) -> Any:
    import requests

    reply = requests.get(url, timeout=REQUEST_SECONDS)
    reply.raise_for_status()
    return reply.json()


KINDS: dict[str, type[Probe]] = {kind.__name__: kind for kind in Probe.__subclasses__()}


def read_probe(file: Path) -> Probe:
    """What `to_json` wrote."""
    fields = json.loads(file.read_text())
    return KINDS[fields.pop("kind")](**fields)


def main(file: Path) -> int:
    """Ask once; the reason of a failure is one line, which `docker inspect` shows."""
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
