"""`make locks`: write the sha256 of every artifact into artifacts.toml."""

import re
import tempfile
from pathlib import Path

from infra.install.artifacts import ARTIFACTS_LOCK, Maven, compute_sha256, parse_artifact
from infra.install.progress import Reporter

ENTRY = re.compile(r'^"(?P<coordinates>[^"]+)" = "(?P<sha256>[0-9a-f]*)"$')


def lock_artifacts() -> None:
    """Rewrite artifacts.toml in place; keep comments and order."""
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
