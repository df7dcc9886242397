"""Kafka Connect's REST API: nobody without its login makes it do or tell anything."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
import requests

from infra.services.connect import CONNECTOR, read_connector, rest_login
from infra.services.model import Lakehouse
from tests.support.lakehouses import RunningLakehouse

REQUEST_SECONDS = 60
VALIDATE = "/connector-plugins/PostgresConnector/config/validate"
REQUESTS = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/connector-plugins"),
    ("PUT", VALIDATE),
    ("GET", "/connectors"),
    ("POST", "/connectors"),
    ("GET", f"/connectors/{CONNECTOR}/config"),
    ("PUT", f"/connectors/{CONNECTOR}/config"),
    ("PUT", f"/connectors/{CONNECTOR}/stop"),
    ("DELETE", f"/connectors/{CONNECTOR}"),
    ("DELETE", f"/connectors/{CONNECTOR}/offsets"),
    ("GET", "/admin/loggers"),
    ("PUT", "/admin/loggers/root"),
]
# PostgreSQL's protocol: "no TLS here", and "send your password in clear text".
NO_TLS = b"N"
ASK_FOR_PASSWORD = b"R\0\0\0\x08\0\0\0\x03"


class Thief(ThreadingTCPServer):
    """A server that poses as PostgreSQL and keeps everything that clients send."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ThievesHand)
        self.stolen: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class ThievesHand(BaseRequestHandler):
    """Talks to one client until it has the password."""

    def handle(self) -> None:
        assert isinstance(self.server, Thief)
        self.request.settimeout(REQUEST_SECONDS)
        with suppress(socket.timeout, OSError):
            for answer in (NO_TLS, ASK_FOR_PASSWORD, b""):
                self.server.stolen.append(self.request.recv(4096))
                self.request.sendall(answer)


@pytest.fixture
def thief() -> Iterator[Thief]:
    with Thief() as thief:
        Thread(target=thief.serve_forever, daemon=True).start()
        yield thief
        thief.shutdown()


@pytest.fixture(scope="module")
def url(lakehouse: RunningLakehouse) -> str:
    return lakehouse.settings.topology.connect.url


@pytest.fixture(scope="module")
def login(own: Lakehouse) -> tuple[str, str]:
    return rest_login(own.secrets)


def connector_to(port: int, **changes: str) -> dict[str, str]:
    """A connector's configuration, whose database is a server of the caller's."""
    return {
        "name": "theirs",
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "topic.prefix": "theirs",
        "database.hostname": "127.0.0.1",
        "database.port": str(port),
        "database.user": "debezium",
        "database.dbname": "shop",
        "database.password": "${env:DEBEZIUM_PASSWORD}",
        **changes,
    }


def ask(method: str, url: str, **options: Any) -> requests.Response:
    return requests.request(method, url, timeout=REQUEST_SECONDS, **options)


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_connect_refuses_a_request_without_the_login(
    url: str, login: tuple[str, str], method: str, path: str
) -> None:
    user, password = login
    for wrong in (None, (user, ""), (user, "wrong"), ("", password), ("debezium", password)):
        reply = ask(method, url + path, json={}, auth=wrong)
        assert reply.status_code == requests.codes.unauthorized, wrong


@pytest.mark.parametrize(
    ("method", "action"),
    [("POST", "tasks"), ("PUT", "fence")],
)
def test_connect_refuses_an_unsigned_request_of_a_worker(
    url: str, own: Lakehouse, method: str, action: str
) -> None:
    """Workers need no login for these two requests, but a key that only they have."""
    reply = ask(method, f"{url}/connectors/{CONNECTOR}/{action}", json=[])
    assert reply.status_code == requests.codes.bad_request
    assert "missing required signature" in reply.json()["message"]
    assert read_connector(own).state == "running"


@pytest.mark.parametrize("auth", [None, ("admin", "wrong")])
def test_validation_sends_no_password_anywhere_without_the_login(
    url: str, thief: Thief, auth: tuple[str, str] | None
) -> None:
    reply = ask("PUT", url + VALIDATE, json=connector_to(thief.port), auth=auth)
    assert thief.stolen == []
    assert reply.status_code == requests.codes.unauthorized


def test_connect_tells_a_web_page_nothing(url: str) -> None:
    """Neither a page of another origin, nor one whose name leads to this machine."""
    page = {"Origin": "http://attacker.example", "Host": "attacker.example"}
    read = ask("GET", f"{url}/connectors", headers=page)
    assert read.status_code == requests.codes.unauthorized
    # What a form or a script may send without asking first.
    send = ask(
        "POST", f"{url}/connectors", data="{}", headers={**page, "Content-Type": "text/plain"}
    )
    assert send.status_code == requests.codes.unsupported_media_type
    wish = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    for reply in (read, send, ask("OPTIONS", f"{url}/connectors", headers={**page, **wish})):
        granted = [name for name in reply.headers if name.lower().startswith("access-control")]
        assert granted == []
        # Else a browser would ask its user for the password, and then send it with every request.
        assert "www-authenticate" not in reply.headers


@pytest.mark.parametrize("name", ["${env:PATH}", "${env:HOME}", "${file:/etc/passwd:root}"])
def test_connectors_configuration_resolves_only_debeziums_password(
    url: str, login: tuple[str, str], name: str
) -> None:
    """Even with the login: a name that Connect refuses stays as it is, so the answer shows it."""
    reply = ask("PUT", url + VALIDATE, json=connector_to(1, **{"tasks.max": name}), auth=login)
    assert reply.ok, reply.text
    assert f"Invalid value {name} for configuration tasks.max" in reply.text


def test_connector_may_not_change_the_workers_kafka_clients(
    url: str, login: tuple[str, str]
) -> None:
    changed = {"producer.override.bootstrap.servers": "127.0.0.1:1"}
    reply = ask("PUT", url + VALIDATE, json=connector_to(1, **changed), auth=login)
    assert reply.ok, reply.text
    assert "'None' policy" in reply.text
