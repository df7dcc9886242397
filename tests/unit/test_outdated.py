"""What is outdated, asked from the test's own registries, over real HTTP."""

import functools
import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from jgo.maven import MavenContext
from rich.table import Table

from configuration import REPOSITORY
from configuration.settings import load_settings
from infra.install import artifacts
from infra.install.artifacts import LOCKS
from infra.install.outdated import (
    Pin,
    ask_maven,
    ask_pypi,
    compare,
    read_go_pins,
    read_maven_pins,
    read_python_pins,
)
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.install.steps import select_steps

METADATA = b"Metadata-Version: 2.1\nName: shop\nVersion: "
# Not in order, as where old series get fixes: the last one and `release` are not the newest.
VERSIONS = ("1.9", "1.10", "1.11-rc1", "2.0.0-preview1", "1.12.Alpha1", "1.8.3")


def serve(files: dict[str, bytes]) -> ThreadingHTTPServer:
    """Serve these files on loopback, and 404 for others."""

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Maven repository that knows `shop:cart`."""
    versions = "".join(f"<version>{version}</version>" for version in VERSIONS)
    metadata = f"<metadata><versioning><release>1.8.3</release><versions>{versions}</versions>"
    body = f"{metadata}</versioning></metadata>".encode()
    server = serve({"/shop/cart/maven-metadata.xml": body})
    repositories = {"here": f"http://127.0.0.1:{server.server_port}"}
    context = functools.partial(MavenContext, remote_repos=repositories)
    monkeypatch.setattr(artifacts, "MavenContext", context)
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def pypi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Python index with `shop`: 1.0, 1.1, 2.0rc1, and 3.0 for newer Pythons only."""
    files, links = {}, []
    for version, python in (("1.1", ">=3.9"), ("1.0", ""), ("2.0rc1", ""), ("3.0", ">=3.12")):
        name = f"shop-{version}-py3-none-any.whl"
        about = METADATA + version.encode() + b"\n"
        files[f"/{name}.metadata"] = about
        digest = hashlib.sha256(about).hexdigest()
        links.append(
            f'<a href="/{name}" data-requires-python="{python}"'
            f' data-core-metadata="sha256={digest}">{name}</a>'
        )
    server = serve({"/simple/shop/": "".join(links).encode(), **files})
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
    yield
    server.shutdown()
    server.server_close()


def show(table: Table) -> list[tuple[str, ...]]:
    """Return a table's rows."""
    return list(zip(*(map(str, column.cells) for column in table.columns), strict=True))


@pytest.mark.usefixtures("maven")
def test_newest_maven_version_is_the_highest_released_one() -> None:
    table = Table("part", "pinned", "newest", "used by")
    pins = [Pin("shop:cart", "1.9", "till"), Pin("shop:cart", "1.10", "web")]
    assert compare("Maven", pins, ask_maven, table) == "Maven: 2 parts, 1 with a newer version"
    assert show(table) == [("shop:cart", "1.9", "1.10", "till")]


@pytest.mark.usefixtures("maven")
def test_part_without_an_answer_leaves_the_others_compared() -> None:
    table = Table("part", "pinned", "newest", "used by")
    pins = [Pin("shop:till", "1.9", "web"), Pin("shop:cart", "1.9", "web")]
    summary = compare("Maven", pins, ask_maven, table)
    assert show(table) == [("shop:cart", "1.9", "1.10", "web")]
    assert summary.startswith(
        "Maven: 2 parts, 1 with a newer version; no answer about 1: shop:till"
    )


@pytest.mark.usefixtures("maven")
def test_version_that_the_registry_does_not_list_yet_is_not_outdated() -> None:
    table = Table("part", "pinned", "newest", "used by")
    compare("Maven", [Pin("shop:cart", "1.10.1", "web")], ask_maven, table)
    assert show(table) == []


@pytest.mark.usefixtures("pypi")
def test_newest_python_package_is_one_that_our_oldest_python_can_install() -> None:
    table = Table("part", "pinned", "newest", "used by")
    pins = [Pin("shop", "1.0", "tools"), Pin("shop", "1.0", "probe")]
    ask = functools.partial(ask_pypi, load_settings().parts)
    assert compare("PyPI", pins, ask, table) == "PyPI: 1 parts, 1 with a newer version"
    assert show(table) == [("shop", "1.0", "1.1", "tools, probe")]


def test_every_lock_of_a_program_is_compared() -> None:
    pins = [*read_python_pins(), *read_maven_pins(), *read_go_pins()]
    programs = {folder.parent.name for folder in LOCKS.glob("*/*.mod")}
    programs |= {folder.parent.name for folder in LOCKS.glob("*/jgo.toml")}
    environments = {source.stem for source in LOCKS.glob("*.in")}
    assert {pin.used_by for pin in pins} >= programs | environments
    assert "github.com/caddyserver/caddy/v2" in {pin.name for pin in pins}


@pytest.fixture(scope="module")
def parts() -> Parts:
    """Go, which asks for the versions of its modules."""
    with Reporter() as reporter:
        made = Parts(load_settings().parts, reporter)
        made.ensure(select_steps(made.steps(), ["virtualenv go"]))
    return made


def test_registries_that_do_not_answer_are_named(parts: Parts) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), nobody)
        result = subprocess.run(
            [sys.executable, "-m", "infra.install.outdated", str(parts.root)],
            cwd=REPOSITORY,
            env={**os.environ, **proxies, "NO_PROXY": "", "UV_HTTP_RETRIES": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr) == (0, "")
    for registry in ("PyPI", "Maven", "Go"):
        assert f"\n{registry}: " in f"\n{result.stdout}"
    assert result.stdout.count("; no answer about ") == 3
    assert "Traceback" not in result.stdout
