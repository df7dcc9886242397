"""Imports: no cycles, no import of a higher layer, and images that contain what they import."""

import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from configuration import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PACKAGES = ("configuration", "flink_jobs", "infra")


def test_no_package_imports_a_higher_layer() -> None:
    """pyproject.toml defines the layers."""
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("stages", "module"),
    [
        (["fetcher"], "infra.install.parts"),
        (["server"], "infra.services.probes"),
        (["server", "trino"], "infra.services.prompt"),
    ],
)
def test_image_contains_every_module_that_its_program_imports(
    stages: list[str], module: str
) -> None:
    graph = grimp.build_graph(*PACKAGES)
    imported = {module, *graph.find_upstream_modules(module)}
    parents = {
        name.rsplit(".", count)[0] for name in imported for count in range(name.count(".") + 1)
    }
    copied = set().union(*map(copied_files, stages))
    missing = {to_file(name) for name in imported | parents} - copied
    assert missing == set()


def test_infra_readme_names_every_module() -> None:
    infra = REPOSITORY / "infra"
    modules = {file.name for file in infra.rglob("*.py") if not file.name.startswith("__")}
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", (infra / "README.md").read_text()))
    assert modules - named == set()


def to_file(module: str) -> Path:
    path = REPOSITORY / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def copied_files(stage: str) -> set[Path]:
    """The files that the COPY lines of one stage of the Dockerfile match."""
    [text] = re.findall(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM )", DOCKERFILE, re.M | re.S)
    sources = re.findall(r"^COPY ([^-\n]*) \S+$", text.replace("\\\n", " "), re.M)
    patterns = " ".join(sources).split()
    return {file for pattern in patterns for file in REPOSITORY.glob(pattern)}
