"""The program that patches MinIO's source."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from runpy import run_path

import pytest

from infra.install.parts import MINIO_PATCH

EDITS = run_path(str(MINIO_PATCH))["EDITS"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source that holds all anchors, and nothing else."""
    texts: dict[str, str] = defaultdict(str)
    for edit in EDITS:
        texts[edit.file] += f"{edit.anchor}\n"
    for file, text in texts.items():
        (tmp_path / "source" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / file).write_text(text)
    return tmp_path / "source"


def run_patch(source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MINIO_PATCH), str(source), str(source.parent / "target")],
        capture_output=True,
        text=True,
        check=False,
    )


def test_patched_copy_holds_every_edit(source: Path) -> None:
    before = {file: file.read_bytes() for file in source.rglob("*.go")}
    result = run_patch(source)
    assert result.returncode == 0, result.stderr
    for edit in EDITS:
        text = (source.parent / "target" / edit.file).read_text()
        assert edit.replacement in text
    assert {file: file.read_bytes() for file in source.rglob("*.go")} == before


@pytest.mark.parametrize("number", range(len(EDITS)))
@pytest.mark.parametrize("count", [0, 2])
def test_patch_fails_unless_an_anchor_occurs_once(source: Path, number: int, count: int) -> None:
    edit = EDITS[number]
    file = source / edit.file
    file.write_text(file.read_text().replace(edit.anchor, edit.anchor * count))
    result = run_patch(source)
    assert result.returncode != 0
    assert f"{edit.file}: found {count} times instead of once" in result.stderr
    assert edit.why in result.stderr


def test_patch_fails_if_a_file_is_missing(source: Path) -> None:
    (source / EDITS[0].file).unlink()
    result = run_patch(source)
    assert result.returncode != 0
    assert f"{EDITS[0].file}: found 0 times" in result.stderr
