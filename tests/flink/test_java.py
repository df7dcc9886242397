"""JUnit's tests of the job's pure classes, in `tests/flink/java`: one folder for each package."""

import subprocess
from pathlib import Path

import pytest

from flink_jobs.build import build_jar
from infra.install.parts import Parts

SOURCES = Path(__file__).with_name("java")


@pytest.fixture(scope="module")
def class_path(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The compiled tests, and what they need."""
    parts.ensure(parts.test_steps())
    needed = [
        parts.attribution_jar,
        *parts.jars("junit"),
        *(parts.flink_home / "lib").glob("*.jar"),
        *parts.jars("flink"),
    ]
    tests = tmp_path_factory.mktemp("java") / "tests.jar"
    [compiler] = parts.jars("compiler")
    build_jar(parts.java(21) / "bin/java", compiler, needed, tests, SOURCES)
    return [tests, *needed]


def test_pure_classes_behave_as_junits_tests_say(parts: Parts, class_path: list[Path]) -> None:
    tests, *_ = class_path
    done = subprocess.run(
        [
            parts.java(21) / "bin/java",
            "-cp",
            ":".join(str(each) for each in class_path),
            "org.junit.platform.console.ConsoleLauncher",
            "execute",
            f"--scan-class-path={tests}",
            "--include-classname=.*Test",
            "--disable-banner",
            "--disable-ansi-colors",
            "--details=tree",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for file in SOURCES.rglob("*Test.java"):
        assert file.stem in done.stdout, f"JUnit did not find {file.name}"
