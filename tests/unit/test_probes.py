"""Probes: reading a written probe gives the same one, and a failing probe says why."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra.services.flink import ensure_identity
from infra.services.probes import (
    FlinkJobProbe,
    FlinkProbe,
    HttpProbe,
    KafkaProbe,
    PostgresProbe,
    Probe,
    TrinoProbe,
    main,
    read_probe,
)
from tests.support.scratch import describe_scratch

BODIES = {
    "/page": "",
    "/overview": '{"slots-total": 2}',
    "/jobs/overview": """{"jobs": [
        {"name": "done", "state": "FINISHED", "tasks": {"running": 0, "total": 2}},
        {"name": "starting", "state": "RUNNING", "tasks": {"running": 1, "total": 2}},
        {"name": "whole", "state": "RUNNING", "tasks": {"running": 2, "total": 2}}
    ]}""",
}


class Pages(BaseHTTPRequestHandler):
    """Answers as Flink would; 404 for any other path."""

    def do_GET(self) -> None:
        body = BODIES.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, *_: object) -> None:
        """Write nothing to stderr."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with the certificate that Flink and its clients share."""
    scratch = describe_scratch(tmp_path_factory.mktemp("scratch"))
    ensure_identity(scratch)
    return str(scratch.settings.flink_identity_file)


@pytest.fixture(scope="module")
def flink_url(identity: str) -> Iterator[str]:
    """A server that asks for the certificate, as Flink does."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(identity)
    tls.load_verify_locations(identity)
    with serving(tls) as url:
        yield url


@pytest.mark.parametrize(
    "probe",
    [
        PostgresProbe("host", 1, "user", 'pass"word'),
        KafkaProbe("host:1", "identity.pem"),
        HttpProbe("http://host/"),
        HttpProbe("http://host/", "user", "password"),
        FlinkProbe("https://host", 2, "identity.pem"),
        FlinkJobProbe("https://host", "name", "identity.pem"),
        TrinoProbe("https://host", "user", "password", "ca.pem"),
    ],
    ids=lambda probe: type(probe).__name__,
)
def test_reading_a_written_probe_gives_an_equal_one(probe: Probe, tmp_path: Path) -> None:
    file = tmp_path / "probe.json"
    file.write_text(probe.to_json())
    assert read_probe(file) == probe


def test_there_are_no_other_kinds_of_probe() -> None:
    assert {kind.__name__ for kind in Probe.__subclasses__()} == {
        "PostgresProbe",
        "KafkaProbe",
        "HttpProbe",
        "FlinkProbe",
        "FlinkJobProbe",
        "TrinoProbe",
    }


def test_http_probe_holds_only_when_the_page_is_there(url: str) -> None:
    assert HttpProbe(f"{url}/page").holds()
    assert not HttpProbe(f"{url}/other").holds()


def test_flink_probes_hold_only_when_slots_and_tasks_are_complete(
    flink_url: str, identity: str
) -> None:
    assert FlinkProbe(flink_url, 2, identity).holds()
    assert not FlinkProbe(flink_url, 3, identity).holds()
    assert FlinkJobProbe(flink_url, "whole", identity).holds()
    assert not FlinkJobProbe(flink_url, "starting", identity).holds()
    assert not FlinkJobProbe(flink_url, "done", identity).holds()
    assert not FlinkJobProbe(flink_url, "absent", identity).holds()


def test_healthcheck_says_why_when_it_fails(
    url: str, flink_url: str, identity: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "probe.json"
    for probe, code, said in (
        (HttpProbe(f"{url}/page"), 0, ""),
        (FlinkProbe(flink_url, 9, identity), 1, "it answers, but is not ready"),
        (PostgresProbe("127.0.0.1", 1, "user", "hidden"), 1, "OperationalError: "),
    ):
        file.write_text(probe.to_json())
        assert main(file) == code
        told = capsys.readouterr().err
        assert told.startswith(said)
        assert "hidden" not in told
