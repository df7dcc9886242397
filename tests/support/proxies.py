"""Toxiproxy in front of a native lakehouse's stores, so that a test can cut their connections.

Kafka, PostgreSQL and MinIO listen on the same address as all services. But their clients look for
them on another loopback address (Linux has all of 127.0.0.0/8), at the same ports. There the
proxies listen.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from configuration.settings import Settings
from configuration.waiting import wait_until
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.topologies.scratch import find_free_port
from infra.topologies.supervision import STATE_VARIABLE

BEFORE, BEHIND = "127.0.0.2", "127.0.0.1"
# Sections of the topology with a proxy, and the keys of the proxied ports.
PROXIED = {
    "kafka": ("port", "broker_port"),
    "postgres": ("port",),
    "s3": ("port", "console_port"),
}
START_SECONDS = 30
REQUEST_SECONDS = 10


def proxies_state(state: Path) -> str:
    """The mark of the proxies' process.

    It differs from the lakehouse's own mark, because a lakehouse's start ends processes with that.
    """
    return f"{state} proxies"


def put_behind_proxies(topology_file: Path) -> None:
    """Change a topology so that clients of the proxied services connect to the proxies."""
    text = topology_file.read_text()
    for name in PROXIED:
        before = f'[{name}]\nhost = "{BEHIND}"'
        assert before in text, before
        text = text.replace(before, f'[{name}]\nhost = "{BEFORE}"')
    topology_file.write_text(text)


class Proxies:
    """A running Toxiproxy with proxies for all of `PROXIED`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = f"http://{BEFORE}:{find_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Build Toxiproxy if needed, start it, and enable every proxy; does nothing if it runs."""
        if self._process:
            return
        with Reporter() as reporter:
            parts = Parts(self._settings.parts, reporter)
            parts.ensure(parts.fault_steps())
        port = self._url.rpartition(":")[2]
        self._process = subprocess.Popen(
            [parts.root / "toxiproxy/toxiproxy", "-host", BEFORE, "-port", port],
            env={STATE_VARIABLE: proxies_state(self._settings.state)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, START_SECONDS, "Toxiproxy")
        for name, keys in PROXIED.items():
            for key in keys:
                port = getattr(getattr(self._settings.topology, name), key)
                line = {"listen": f"{BEFORE}:{port}", "upstream": f"{BEHIND}:{port}"}
                self._post("/proxies", {"name": f"{name}.{key}", **line, "enabled": True})

    def stop(self) -> None:
        """End Toxiproxy; does nothing if it does not run."""
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    @contextmanager
    def cut(self, name: str) -> Iterator[None]:
        """Break every connection to a service, and refuse new ones."""
        self._enable(name, on=False)
        try:
            yield
        finally:
            self._enable(name, on=True)

    def _enable(self, name: str, *, on: bool) -> None:
        for key in PROXIED[name]:
            self._post(f"/proxies/{name}.{key}", {"enabled": on})

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self._url}/version", timeout=REQUEST_SECONDS).ok
        except requests.ConnectionError:
            return False

    def _post(self, path: str, body: dict[str, str | bool]) -> None:
        requests.post(self._url + path, json=body, timeout=REQUEST_SECONDS).raise_for_status()
