"""Downloads from the test's own Maven repository, over real HTTP."""

import functools
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jgo.maven import MavenContext

from infra.install import artifacts
from infra.install.artifacts import Maven, parse_artifact
from infra.install.progress import Reporter

BODY = b"a jar" * 1000
SLOWLY_SECONDS = 0.3


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts the requests for each file. Answers are slow, so that requests would overlap."""
    counts: Counter[str] = Counter()

    class Repository(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            counts[self.path] += 1
            time.sleep(SLOWLY_SECONDS)
            is_digest = self.path.endswith(".sha1")
            body = (
                hashlib.sha1(BODY, usedforsecurity=False).hexdigest().encode()
                if is_digest
                else BODY
            )
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    context = functools.partial(MavenContext, remote_repos={"here": here})
    monkeypatch.setattr(artifacts, "MavenContext", context)
    yield counts
    server.shutdown()
    server.server_close()


def test_parts_fetched_at_once_share_one_download(requests: Counter[str], tmp_path: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    shared = [parse_artifact(part, "g:a:1:jar", digest) for part in ("one", "two", "three")]
    maven = Maven(tmp_path / "cache", Reporter())
    with ThreadPoolExecutor() as pool:
        files = list(pool.map(maven.fetch, shared))
    assert {file.read_bytes() for file in files} == {BODY}
    assert requests["/g/a/1/a-1.jar"] == 1
