"""`make advisories` finds known vulnerabilities in what is fetched, with a database of the test's.

It takes minutes to build osv-scanner, and `make advisories` is no part of the tests. So these tests
run only where somebody ran it before.
"""

import json
import re
import shutil
import socket
import tomllib
import zipfile
from importlib.metadata import distribution, version
from pathlib import Path

import pytest

from configuration import REPOSITORY
from configuration.errors import InstallError
from configuration.settings import load_settings
from infra.install.advisories import ACCEPTED, FOUND_SOMETHING, scan

# What the database knows a vulnerability of: a Python package, a jar that a lock names, a library
# inside Hadoop's jar, and a module inside a Go program.
VULNERABLE = {
    "TEST-1": ("PyPI", "jgo"),
    "TEST-2": ("Maven", "org.apache.kafka:kafka-clients"),
    "TEST-3": ("Maven", "commons-net:commons-net"),
    "TEST-4": ("Go", "github.com/urfave/cli/v3"),
}


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A parts folder with one Python package, one jar, and osv-scanner as a Go program."""
    fetched = load_settings().parts
    if not (fetched / "osv-scanner").exists():
        pytest.skip("`make advisories` builds osv-scanner; nobody ran it here")
    own = tmp_path / "parts"
    shutil.copytree(fetched / "osv-scanner", own / "osv-scanner")
    [jar] = (fetched / "flink").glob("hadoop-client-runtime-*.jar")
    (own / "flink").mkdir()
    shutil.copy(jar, own / "flink")
    package = Path(str(distribution("jgo").locate_file(f"jgo-{version('jgo')}.dist-info")))
    shutil.copytree(package, own / "environments/tools/site-packages" / package.name)
    return own


def write_database(folder: Path) -> None:
    """Write advisories in OSV's format, as osv-scanner keeps them locally."""
    for ecosystem in ("PyPI", "Maven", "Go"):
        file = folder / "osv-scalibr" / ecosystem / "all.zip"
        file.parent.mkdir(parents=True)
        with zipfile.ZipFile(file, "w") as archive:
            for number, (of, name) in VULNERABLE.items():
                if of == ecosystem:
                    archive.writestr(f"{number}.json", format_advisory(number, ecosystem, name))


def format_advisory(number: str, ecosystem: str, name: str) -> str:
    affected = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
    }
    return json.dumps({"id": number, "modified": "2026-01-01T00:00:00Z", "affected": [affected]})


@pytest.mark.thorough
def test_known_vulnerabilities_are_found_wherever_a_part_is(
    parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_database(tmp_path)
    assert scan(parts, ["--offline", f"--local-db-path={tmp_path}"]) == FOUND_SOMETHING
    assert set(re.findall(r"TEST-\d", capsys.readouterr().out)) == set(VULNERABLE)


@pytest.mark.thorough
def test_unreachable_database_is_named(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(InstallError, match=r"checked nothing.*api\.osv\.dev"):
            scan(parts)


def test_accepted_vulnerabilities_are_those_of_decision_3() -> None:
    decision = (REPOSITORY / "docs/decisions/0003-minio-from-source.md").read_text()
    holes = decision[decision.index("## Choice") : decision.index("## What it costs")]
    accepted = tomllib.loads(ACCEPTED.read_text())["IgnoredVulns"]
    assert {each["id"] for each in accepted} == set(re.findall(r"CVE-\d+-\d+", holes))
