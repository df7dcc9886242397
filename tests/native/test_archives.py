"""Class archives: a JVM uses one that fits, and starts without one that does not."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from configuration.settings import load_settings
from configuration.templates import write_private
from configuration.waiting import wait_until
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.install.steps import select_steps
from infra.operations.archives import save_archive
from infra.services.kafka_access import ensure_identity
from infra.services.model import Service, archive_options
from infra.services.registry import find_service
from tests.support.scratch import describe_scratch

SECONDS = 120
# Java's log line for a class of the jars that it loaded from an archive.
FROM_ARCHIVE = "org.apache.logging.log4j.LogManager source: shared objects file"


@dataclass(frozen=True)
class Archived:
    """A broker's archive, and the parts with the Java and jars that wrote it."""

    archive: Path
    parts: Parts

    def run(self, archive: Path, version: int = 25) -> str:
        """Run a short Kafka program with `archive`; return where Java found its classes."""
        command: list[str | Path] = [
            self.parts.java(version) / "bin/java",
            *archive_options(archive),
            "-XX:+UseSerialGC",
            "-Xlog:class+load",
            "-cp",
            f"{self.parts.root}/kafka/*",
            "kafka.tools.StorageTool",
            "random-uuid",
        ]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The fetched Java and Kafka, in a folder with its own archives."""
    with Reporter() as reporter:
        made = Parts(load_settings().parts, reporter)
        names = ("virtualenv jre21", "virtualenv jre25", "jars kafka")
        made.ensure(select_steps(made.steps(), names))
    own = Parts(tmp_path_factory.mktemp("parts"), Reporter())
    for name in ("java-21", "java-25"):
        (own.root / name).symlink_to(made.root / name)
    shutil.copytree(made.root / "kafka", own.root / "kafka")
    return own


@pytest.fixture(scope="module")
def kafka(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A scratch broker, ready to start."""
    scratch = describe_scratch(tmp_path_factory.mktemp("kafka"), parts)
    ensure_identity(scratch)
    service = find_service(scratch, "kafka")
    for file, text in service.files.items():
        write_private(file, text)
    assert service.first_run
    subprocess.run([*map(str, service.first_run.command)], check=True, capture_output=True)
    return service


@pytest.fixture(scope="module")
def archived(parts: Parts, kafka: Service, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """An archive written by a running broker; it replaces an older one."""
    assert kafka.archive
    kafka.archive.parent.mkdir()
    kafka.archive.with_name("kafka-0123456789ab.jsa").touch()
    folder = tmp_path_factory.mktemp("broker")
    with running(kafka, folder) as pid:
        save_archive(pid, kafka.archive)
    assert not list(folder.iterdir()), "saving an archive must leave nothing in the broker's folder"
    return Archived(kafka.archive, parts)


@contextmanager
def running(kafka: Service, folder: Path) -> Iterator[int]:
    """Run the broker; yield its process id when it is ready."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        [*map(str, kafka.command)], cwd=folder, stdout=silent, stderr=silent
    ) as broker:
        try:
            assert kafka.probe
            wait_until(kafka.probe.is_ready, SECONDS, "Kafka")
            yield broker.pid
        finally:
            broker.terminate()


def test_classes_come_from_a_fitting_archive(archived: Archived) -> None:
    assert FROM_ARCHIVE in archived.run(archived.archive)


def test_restarted_broker_maps_its_archive(
    archived: Archived, kafka: Service, tmp_path: Path
) -> None:
    with running(kafka, tmp_path) as pid:
        assert str(archived.archive) in Path(f"/proc/{pid}/maps").read_text()


def test_only_the_newest_archive_is_kept(archived: Archived) -> None:
    assert list(archived.archive.parent.iterdir()) == [archived.archive]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damage(content: bytes) -> bytes:
    """Damage the part that would be mapped as classes; keep the header."""
    third = len(content) // 3
    return content[:third] + b"\xff" * third + content[2 * third :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "garbage": lambda _: b"no archive" * 10_000,
    "cut": cut,
    "damaged": damage,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_program_starts_with_a_broken_archive(
    name: str, archived: Archived, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jsa"
    broken.write_bytes(DAMAGES[name](archived.archive.read_bytes()))
    assert FROM_ARCHIVE not in archived.run(broken)


def test_program_starts_without_an_archive(archived: Archived, tmp_path: Path) -> None:
    assert FROM_ARCHIVE not in archived.run(tmp_path / "missing.jsa")


def test_program_starts_with_an_archive_of_another_java(archived: Archived) -> None:
    assert FROM_ARCHIVE not in archived.run(archived.archive, version=21)


def test_program_starts_when_a_jar_changed(archived: Archived) -> None:
    jar = next((archived.parts.root / "kafka").glob("log4j-api-*"))
    written_at = jar.stat().st_mtime
    os.utime(jar, (0, 0))
    try:
        assert FROM_ARCHIVE not in archived.run(archived.archive)
    finally:
        os.utime(jar, (written_at, written_at))


def test_archive_has_another_name_when_a_jar_changes(parts: Parts) -> None:
    jars = parts.root / "changing"
    jars.mkdir()
    (jars / "one.jar").write_text("one")
    before = parts.archive("any", 25, jars.name)
    (jars / "one.jar").write_text("another")
    assert parts.archive("any", 25, jars.name) != before
