"""Flink: only its certificate opens the REST API; through the front door people can only look."""

from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from infra.services.flink import ensure_identity
from tests.support.clients import REQUEST_SECONDS
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.scratch import describe_scratch

# As a form of any web page could send it. Flink reads a serialized job graph and runs its code.
FORGED_JOB = {
    "request": (None, '{"jobGraphFileName": "graph", "jobJarFileNames": []}'),
    "file_0": ("graph", b"\xac\xed\x00\x05sr\x00"),
}
EVIL = "evil.example"

Attack = tuple[str, str, Mapping[str, Any]]


@pytest.fixture
def job(lake: Lake) -> str:
    """The job that runs before the attack."""
    job = lake.flink.running_job()
    assert job
    return job


def list_attacks(job: str, savepoints: Path) -> list[Attack]:
    """Requests that would run code, end the job or write files: method, path, content."""
    savepoint = {"target-directory": savepoints.as_uri(), "cancel-job": True}
    return [
        ("POST", "/jobs", {"files": FORGED_JOB}),
        ("POST", "/v1/jobs", {"files": FORGED_JOB}),
        ("POST", "/jars/upload", {"files": {"jarfile": ("mine.jar", b"PK")}}),
        ("POST", "/v1/jars/upload", {"files": {"jarfile": ("mine.jar", b"PK")}}),
        ("GET", f"/jobs/{job}/yarn-cancel", {}),
        ("GET", f"/jobs/{job}/yarn-stop", {}),
        ("GET", f"/v1/jobs/{job}/yarn-cancel", {}),
        ("PATCH", f"/jobs/{job}?mode=cancel", {}),
        ("POST", f"/jobs/{job}/savepoints", {"json": savepoint}),
        ("POST", f"/jobs/{job}/stop", {"json": {"targetDirectory": savepoints.as_uri()}}),
        ("GET", f"/jobs/{job}/savepoints/{job}", {}),
        ("POST", "/savepoint-disposal", {"json": {"savepoint-path": savepoints.as_uri()}}),
        ("DELETE", "/cluster", {}),
    ]


@pytest.fixture
def rest_url(lakehouse: RunningLakehouse) -> str:
    """The REST API itself; in containers, nothing answers at its address on this machine."""
    return lakehouse.settings.topology.flink.url


@pytest.fixture
def other_certificate(tmp_path: Path) -> str:
    """The certificate of another lakehouse's Flink."""
    scratch = describe_scratch(tmp_path)
    ensure_identity(scratch)
    return str(scratch.settings.flink_identity_file)


def test_rest_api_answers_nobody_without_its_certificate(
    rest_url: str, job: str, lake: Lake, other_certificate: str, tmp_path: Path
) -> None:
    plain_url = rest_url.replace("https:", "http:")
    answered = [
        (url, method, path, certificate)
        for url in (rest_url, plain_url)
        for certificate in (None, other_certificate)
        for method, path, content in [("GET", "/overview", {}), *list_attacks(job, tmp_path)]
        if is_answered(method, url + path, cert=certificate, **content)
    ]
    assert answered == []
    assert lake.flink.running_job() == job


def is_answered(method: str, url: str, **options: Any) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = False
        try:
            session.request(method, url, timeout=REQUEST_SECONDS, **options)
        except requests.ConnectionError:  # also if the TLS handshake fails
            return False
    return True


def knock(lakehouse: RunningLakehouse, method: str, path: str, **options: Any) -> requests.Response:
    """Send a request to the front door, with the right login unless `options` say otherwise."""
    url = lakehouse.environment["FLINK_URL"] + path
    options = {"auth": lakehouse.flink_login, "allow_redirects": False, **options}
    return requests.request(method, url, timeout=REQUEST_SECONDS, **options)


@pytest.mark.parametrize("login", [None, ("operator", ""), ("operator", "x"), ("admin", "admin")])
@pytest.mark.parametrize("path", ["/", "/overview", "/jobmanager/config"])
def test_front_door_asks_for_a_login(
    lakehouse: RunningLakehouse, path: str, login: tuple[str, str] | None
) -> None:
    reply = knock(lakehouse, "GET", path, auth=login)
    assert reply.status_code == requests.codes.unauthorized


def test_front_door_only_lets_people_look(
    lakehouse: RunningLakehouse, job: str, lake: Lake, tmp_path: Path
) -> None:
    replies = [
        (method, path, knock(lakehouse, method, path, **content).status_code)
        for method, path, content in list_attacks(job, tmp_path)
    ]
    refusals = (requests.codes.forbidden, requests.codes.method_not_allowed)
    assert [reply for reply in replies if reply[2] not in refusals] == []
    assert list(tmp_path.iterdir()) == []
    assert lake.flink.running_job() == job


@pytest.mark.parametrize(
    "ending",
    ["/%79arn-cancel", "/yarn%2dcancel", "//yarn-cancel/", "/./yarn-cancel", "/YARN-CANCEL"],
)
def test_front_door_knows_a_path_in_disguise(
    lakehouse: RunningLakehouse, job: str, lake: Lake, ending: str
) -> None:
    door = urlsplit(lakehouse.environment["FLINK_URL"])
    login = ":".join(lakehouse.flink_login)
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    # Unlike requests, this sends the path as it is.
    with closing(HTTPConnection(door.netloc, timeout=REQUEST_SECONDS)) as connection:
        connection.request("GET", f"/jobs/{job}{ending}", headers=headers)
        assert connection.getresponse().status == requests.codes.forbidden
    assert lake.flink.running_job() == job


@pytest.mark.parametrize("host", [EVIL, f"{EVIL}:80", f"127.0.0.1.{EVIL}", f"localhost.{EVIL}"])
def test_front_door_refuses_a_name_that_another_site_points_at_it(
    lakehouse: RunningLakehouse, host: str
) -> None:
    reply = knock(lakehouse, "GET", "/overview", headers={"Host": host})
    assert reply.status_code == requests.codes.forbidden


@pytest.mark.parametrize("path", ["/", "/overview", "/jobs/overview", "/nothing"])
def test_front_door_lets_no_other_site_read_an_answer(
    lakehouse: RunningLakehouse, path: str
) -> None:
    reply = knock(lakehouse, "GET", path, headers={"Origin": f"https://{EVIL}"})
    assert [name for name in reply.headers if name.lower().startswith("access-control")] == []
    assert reply.headers["X-Frame-Options"] == "DENY"


def test_front_door_shows_what_the_page_asks_for(lakehouse: RunningLakehouse, job: str) -> None:
    paths = ["/", "/config", "/overview", "/jobs/overview", "/taskmanagers", "/jobmanager/config"]
    paths += ["/jobmanager/metrics", "/jobmanager/logs", "/jobmanager/thread-dump"]
    paths += [f"/jobs/{job}{part}" for part in ("", "/plan", "/config", "/checkpoints")]
    paths += [f"/jobs/{job}{part}" for part in ("/exceptions", "/metrics", "/checkpoints/config")]
    hidden = [path for path in paths if not knock(lakehouse, "GET", path).ok]
    assert hidden == []
