"""`make locks`: fill in the sha256 of every artifact whose version was changed."""

import re
import tempfile
from pathlib import Path

from infra.install.artifacts import ARTIFACTS_LOCK, Maven, compute_sha256, parse_artifact
from infra.install.progress import Reporter

ENTRY = re.compile(r'^"(?P<coordinates>[^"]+)" = "(?P<sha256>[0-9a-f]*)"$')


def lock_artifacts() -> None:
    """Rewrite the lock in place; comments and order stay."""
    with Reporter() as reporter, tempfile.TemporaryDirectory() as cache:
        maven = Maven(Path(cache), reporter)
        lines = [_lock_line(maven, line) for line in ARTIFACTS_LOCK.read_text().splitlines()]
    ARTIFACTS_LOCK.write_text("\n".join(lines) + "\n")


def _lock_line(maven: Maven, line: str) -> str:
    entry = ENTRY.match(line)
    if entry is None:
        return line
    artifact = parse_artifact("", entry["coordinates"], entry["sha256"])
    return f'"{entry["coordinates"]}" = "{compute_sha256(maven.download(artifact))}"'


if __name__ == "__main__":
    lock_artifacts()
