"""Jars and archives from Maven: coordinates and sha256 in, verified files out.

Two locks: `infra/locks/artifacts.toml` lists single files; `infra/locks/kafka/jgo.lock.toml` is
jgo's own lock of the broker with all that it depends on. Neither names an address.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver
from requests import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from infra.errors import InstallError
from infra.progress import Reporter
from infra.settings import REPOSITORY

ARTIFACTS_LOCK = REPOSITORY / "infra/locks/artifacts.toml"
KAFKA_LOCK = REPOSITORY / "infra/locks/kafka/jgo.lock.toml"
DOWNLOAD_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Artifact:
    """One file of Maven's: which part it belongs to, what it is, what its bytes must be."""

    part: str
    group: str
    name: str
    version: str
    packaging: str
    sha256: str
    classifier: str = ""

    def __str__(self) -> str:
        coordinates = [self.group, self.name, self.version, self.packaging, self.classifier]
        return ":".join(filter(None, coordinates))


def parse_artifact(part: str, coordinates: str, sha256: str) -> Artifact:
    """Coordinates are `group:name:version:packaging`, and `:classifier` where there is one."""
    group, name, version, packaging, *classifier = coordinates.split(":")
    return Artifact(part, group, name, version, packaging, sha256, *classifier)


def read_locks() -> list[Artifact]:
    """Every file of both locks."""
    return [*_read_artifacts(ARTIFACTS_LOCK), *_read_jgo_lock("kafka", KAFKA_LOCK)]


def _read_artifacts(lock: Path) -> Iterator[Artifact]:
    for part, entries in tomllib.loads(lock.read_text()).items():
        for coordinates, sha256 in entries.items():
            yield parse_artifact(part, coordinates, sha256)


def _read_jgo_lock(part: str, lock: Path) -> Iterator[Artifact]:
    for entry in tomllib.loads(lock.read_text())["dependencies"]:
        yield Artifact(
            part,
            entry["groupId"],
            entry["artifactId"],
            entry["version"],
            entry["packaging"],
            entry["sha256"],
        )


class Maven:
    """A cache folder of verified files."""

    def __init__(self, cache: Path, reporter: Reporter) -> None:
        self._context = MavenContext(
            resolver=PythonResolver(progress_callback=reporter.download),
            repo_cache=cache,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
        )

    def fetch_all(self, artifacts: Iterable[Artifact], folder: Path) -> None:
        """Place each file into `folder` under its own name (a hard link into the cache)."""
        folder.mkdir(parents=True, exist_ok=True)
        for artifact in artifacts:
            file = self.fetch(artifact)
            target = folder / file.name
            target.unlink(missing_ok=True)
            target.hardlink_to(file)

    def fetch(self, artifact: Artifact) -> Path:
        """Return the cached file of `artifact`, downloaded if need be.

        Raises:
            InstallError: it can't be fetched, or is not what its lock says.
        """
        file = self.download(artifact)
        digest = compute_sha256(file)
        if artifact.sha256 != digest:
            file.unlink()
            raise InstallError(
                f"{artifact}: sha256 is {digest}, its lock says {artifact.sha256}; the download was"
                " cut or is not the pinned file: run again, or after a wanted upgrade `make locks`"
            )
        return file

    def download(self, artifact: Artifact) -> Path:
        """Return the cached file of `artifact`, whatever its bytes."""
        try:
            return self._resolve(artifact)
        except (RequestException, RuntimeError) as error:
            raise InstallError(f"{artifact}: could not be fetched: {error}") from None

    @retry(
        retry=retry_if_exception_type(RequestException),
        stop=stop_after_attempt(4),
        wait=wait_random_exponential(max=20),
        reraise=True,
    )
    def _resolve(self, artifact: Artifact) -> Path:
        component = self._context.project(artifact.group, artifact.name).at_version(
            artifact.version
        )
        maven_artifact = component.artifact(artifact.classifier, artifact.packaging)
        try:
            return Path(maven_artifact.resolve())
        except RequestException:  # never leave half a file where a whole one is expected
            Path(maven_artifact.cached_path).unlink(missing_ok=True)
            raise


def compute_sha256(file: Path) -> str:
    """Hex digest of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
