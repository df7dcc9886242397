"""Jars and archives from Maven: coordinates and sha256 in, verified files out.

`locks/artifacts.toml` lists single files. `locks/kafka` and `locks/connect` hold jgo's locks: a
program with all its dependencies. No lock names a server.
"""

import hashlib
import re
import shutil
import threading
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cmp_to_key
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver, compare_versions
from requests import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from configuration import REPOSITORY
from configuration.errors import InstallError
from infra.install.progress import Reporter

LOCKS = REPOSITORY / "infra/install/locks"
ARTIFACTS_LOCK = LOCKS / "artifacts.toml"
JGO_PARTS = ("kafka", "connect")
DOWNLOAD_TIMEOUT_SECONDS = 120
# Versions that their authors don't call released.
UNRELEASED = re.compile(r"[.-](alpha|beta|cr|m\d|milestone|preview|rc|snapshot)", re.IGNORECASE)


@dataclass(frozen=True)
class Artifact:
    """A Maven file: the part that it belongs to, its coordinates and its sha256."""

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
    """Parse `group:name:version:packaging`, optionally with `:classifier`."""
    group, name, version, packaging, *classifier = coordinates.split(":")
    return Artifact(part, group, name, version, packaging, sha256, *classifier)


def read_locks() -> list[Artifact]:
    """Return every file of every lock."""
    programs = [artifact for part in JGO_PARTS for artifact in _read_jgo_lock(part)]
    return [*_read_artifacts(), *programs]


def read_choices() -> list[Artifact]:
    """Return what somebody chose, without what that depends on; sha256 may be empty."""
    programs = [artifact for part in JGO_PARTS for artifact in _read_jgo_choices(part)]
    return [*_read_artifacts(), *programs]


def _read_artifacts() -> Iterator[Artifact]:
    for part, entries in tomllib.loads(ARTIFACTS_LOCK.read_text()).items():
        for coordinates, sha256 in entries.items():
            yield parse_artifact(part, coordinates, sha256)


def _read_jgo_choices(part: str) -> Iterator[Artifact]:
    environment = tomllib.loads((LOCKS / part / "jgo.toml").read_text())
    for coordinates in environment["dependencies"]["coordinates"]:
        group, name, version = coordinates.rstrip("!").split(":")
        yield Artifact(part, group, name, version, "jar", sha256="")


def _read_jgo_lock(part: str) -> Iterator[Artifact]:
    lock = LOCKS / part / "jgo.lock.toml"
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
    """A cache folder of verified files; threads may share it and request the same file."""

    def __init__(self, cache: Path, reporter: Reporter) -> None:
        # Parts fetched in parallel share jars, and jgo can't download one file twice at a time.
        self._locks: defaultdict[Artifact, threading.Lock] = defaultdict(threading.Lock)
        self._context = MavenContext(
            resolver=PythonResolver(progress_callback=reporter.download),
            repo_cache=cache,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
        )

    def fetch_all(self, artifacts: Iterable[Artifact], folder: Path) -> None:
        """Put each file into `folder` under its own name."""
        folder.mkdir(parents=True, exist_ok=True)
        for artifact in artifacts:
            file = self.fetch(artifact)
            target = folder / file.name
            target.unlink(missing_ok=True)
            _link_or_copy(file, target)

    def fetch(self, artifact: Artifact) -> Path:
        """Return the cached file of `artifact`; download it if necessary.

        Raises:
            InstallError: the file can't be fetched, or its sha256 is not that of its lock.
        """
        with self._locks[replace(artifact, part="")]:
            for _ in range(2):  # an interrupted earlier run may have left a truncated file
                file = self.download(artifact)
                digest = compute_sha256(file)
                if artifact.sha256 == digest:
                    return file
                file.unlink()
        raise InstallError(
            f"{artifact}: sha256 is {digest}, its lock says {artifact.sha256}; the download is"
            " truncated or not the pinned file: run the command again; if you changed the version,"
            " run `make locks` first"
        )

    def download(self, artifact: Artifact) -> Path:
        """Return the cached file of `artifact` without checking its sha256.

        Raises:
            InstallError: the file can't be fetched.
        """
        try:
            return self._resolve(artifact)
        except (RequestException, RuntimeError) as error:
            raise InstallError(
                f"{artifact}: could not be fetched: {error}; check the network and try again"
            ) from None

    def read_newest(self, group: str, name: str) -> str:
        """Return the newest released version that the repository lists.

        Raises:
            InstallError: the repository does not answer, or lists no such version.
        """
        project = self._context.project(group, name)
        project.update()  # logs a warning if nobody answers
        released = [each for each in project.metadata.versions if not UNRELEASED.search(each)]
        if not released:
            raise InstallError(f"{group}:{name}: its repository did not answer; check the network")
        return str(max(released, key=cmp_to_key(compare_versions)))

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
        except RequestException:  # don't leave a partial file in the cache
            Path(maven_artifact.cached_path).unlink(missing_ok=True)
            raise


def _link_or_copy(file: Path, target: Path) -> None:
    """Hard-link, or copy to another file system, as the cache is during an image build."""
    try:
        target.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, target)


def compute_sha256(file: Path) -> str:
    """Return the hex digest of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
