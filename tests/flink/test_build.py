"""The jar is built without a JDK, only when sources change, and always with the same bytes."""

from pathlib import Path

import pytest

from flink_jobs.build import BuildError, build_jar
from infra.install.parts import Parts

SOURCE = "package it; public final class Answer { public static int get() { return 42; } }"


def _build(parts: Parts, sources: Path, output: Path) -> bool:
    [compiler] = parts.jars("compiler")
    return build_jar(parts.java(21) / "bin/java", compiler, [], output, sources)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    (folder / "META-INF/services").mkdir(parents=True)
    (folder / "META-INF/services/it.Service").write_text("it.Answer\n")
    (folder / "Answer.java").write_text(SOURCE)
    return folder


def test_jar_is_built_again_only_when_the_sources_changed(
    parts: Parts, sources: Path, tmp_path: Path
) -> None:
    jar = tmp_path / "it.jar"
    assert _build(parts, sources, jar) is True
    first = jar.read_bytes()
    assert _build(parts, sources, jar) is False
    (sources / "Answer.java").write_text(SOURCE.replace("42", "43"))
    assert _build(parts, sources, jar) is True
    assert jar.read_bytes() != first


def test_jar_has_the_same_bytes_when_built_elsewhere(
    parts: Parts, sources: Path, tmp_path: Path
) -> None:
    jars = [tmp_path / "one.jar", tmp_path / "other/two.jar"]
    for jar in jars:
        _build(parts, sources, jar)
    assert jars[0].read_bytes() == jars[1].read_bytes()


def test_build_error_names_the_file_and_the_problem(
    parts: Parts, sources: Path, tmp_path: Path
) -> None:
    (sources / "Answer.java").write_text(SOURCE.replace("42", '"42"'))
    with pytest.raises(BuildError, match=r"(?s)Answer\.java.*String to int"):
        _build(parts, sources, tmp_path / "it.jar")
    assert not (tmp_path / "it.jar").exists()
