"""Our Trino client says in one sentence that Trino is down or still starting."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from configuration.errors import ServiceError
from configuration.secrets import Secrets
from configuration.settings import Settings
from configuration.trino_client import connect_trino
from infra.services.trino_identity import ensure_trino_identity, trino_identity_files
from tests.serving.conftest import at

NOT_LOADED = b"""java.lang.IllegalStateException: authenticators were not loaded
\tat io.trino.server.security.PasswordAuthenticatorManager.getAuthenticators"""


class Starting(BaseHTTPRequestHandler):
    """Answers like Trino does after opening its port and before reading its password file."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.send_header("Content-Length", str(len(NOT_LOADED)))
        self.end_headers()
        self.wfile.write(NOT_LOADED)

    def log_message(self, *_: object) -> None:
        """Keep stderr quiet."""


@pytest.fixture
def starting(settings: Settings, secrets: Secrets, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a listening Trino, with the certificate that its clients trust."""
    with HTTPServer((settings.topology.trino.host, 0), Starting) as server:
        here = at(settings, tmp_path, port=server.server_port)
        ensure_trino_identity(here, secrets, datetime.now(UTC))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(trino_identity_files(here)[0])
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield here
        server.shutdown()


def test_error_is_one_sentence_when_trino_is_still_starting(
    starting: Settings, secrets: Secrets
) -> None:
    with pytest.raises(ServiceError, match=r"trino: no answer; .* authenticators were not loaded$"):
        connect_trino(starting, secrets).query("select 1")


def test_error_is_one_sentence_when_trino_is_down(starting: Settings, secrets: Secrets) -> None:
    away = at(starting, starting.state, port=1)
    with pytest.raises(ServiceError, match=r"trino: no answer; .* refused"):
        connect_trino(away, secrets).query("select 1")
