"""Probes: reading a written probe gives the same one, and a failing probe says why."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "probe",
    [
        PostgresProbe("host", 1, "user", 'pass"word'),
        KafkaProbe("host:1"),
        HttpProbe("http://host/"),
        HttpProbe("http://host/", "user", "password"),
        FlinkProbe("http://host", 2),
        FlinkJobProbe("http://host", "name"),
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


def test_flink_probes_hold_only_when_slots_and_tasks_are_complete(url: str) -> None:
    assert HttpProbe(f"{url}/page").holds()
    assert not HttpProbe(f"{url}/other").holds()
    assert FlinkProbe(url, 2).holds()
    assert not FlinkProbe(url, 3).holds()
    assert FlinkJobProbe(url, "whole").holds()
    assert not FlinkJobProbe(url, "starting").holds()
    assert not FlinkJobProbe(url, "done").holds()
    assert not FlinkJobProbe(url, "absent").holds()


def test_healthcheck_says_why_when_it_fails(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "probe.json"
    for probe, code, said in (
        (HttpProbe(f"{url}/page"), 0, ""),
        (FlinkProbe(url, 9), 1, "it answers, but is not ready"),
        (PostgresProbe("127.0.0.1", 1, "user", "hidden"), 1, "OperationalError: "),
    ):
        file.write_text(probe.to_json())
        assert main(file) == code
        told = capsys.readouterr().err
        assert told.startswith(said)
        assert "hidden" not in told
