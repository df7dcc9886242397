"""Build one jar from the job's Java sources, without a JDK.

Eclipse's compiler runs on a JRE. The same sources and compiler give the same jar, byte for byte.
The jar is built again only if either changes.
"""

import hashlib
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from configuration.errors import TributaryError

SOURCES = Path(__file__).resolve().parent / "java"
JAVA_RELEASE = "17"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can store
_DIGEST_NAME = "META-INF/tributary-sources.sha256"


class BuildError(TributaryError):
    """The sources do not compile."""


def build_jar(
    java: Path,
    compiler: Path,
    class_path: Iterable[Path],
    output: Path,
    sources: Path = SOURCES,
) -> bool:
    """Compile the sources and pack them into `output`.

    Returns False if `output` is up to date.

    Args:
        java: the `java` executable of a JRE, version 17 or newer.
        compiler: the jar of ecj, Eclipse's compiler.
        class_path: Flink's jars.
        output: the jar; replaced atomically once the new one is complete.
        sources: folder with the Java files, and with resources under `META-INF`.

    Raises:
        BuildError: the sources do not compile; the message has the compiler's output.
    """
    digest = _hash_sources(sources, compiler)
    if _built_digest(output) == digest:
        return False
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        classes = Path(scratch) / "classes"
        _compile(java, compiler, class_path, sources, classes)
        fresh = Path(scratch) / output.name
        _pack(fresh, digest, [(classes, "*"), (sources, "META-INF/**/*")])
        fresh.replace(output)
    return True


def _source_files(sources: Path) -> list[Path]:
    return [file for file in sorted(sources.rglob("*")) if file.is_file()]


def _hash_sources(sources: Path, compiler: Path) -> str:
    """A digest of all sources, their names, and the compiler's file name, which has its version."""
    total = hashlib.sha256(f"{compiler.name} {JAVA_RELEASE}".encode())
    for file in _source_files(sources):
        total.update(f"\0{file.name}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _built_digest(jar: Path) -> str | None:
    try:
        with zipfile.ZipFile(jar) as archive:
            return archive.read(_DIGEST_NAME).decode()
    except (OSError, KeyError, zipfile.BadZipFile):
        return None


def _compile(
    java: Path, compiler: Path, class_path: Iterable[Path], sources: Path, classes: Path
) -> None:
    # -parameters: Flink names columns after the constructor's parameters.
    options = [
        "-parameters",
        "-encoding",
        "UTF-8",
        "-source",
        JAVA_RELEASE,
        "-target",
        JAVA_RELEASE,
    ]
    joined = ":".join(str(path) for path in class_path)
    done = subprocess.run(
        [java, "-jar", compiler, *options, "-cp", joined, "-d", classes, sources],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"the job's Java sources do not compile:\n{done.stderr.strip()}")


def _pack(jar: Path, digest: str, contents: list[tuple[Path, str]]) -> None:
    """Write the entries sorted and with a fixed time, so that the jar is reproducible."""
    entries: dict[str, bytes] = {_DIGEST_NAME: digest.encode()}
    for root, pattern in contents:
        for file in sorted(root.rglob(pattern) if pattern == "*" else root.glob(pattern)):
            if file.is_file():
                name = file.relative_to(root).as_posix()
                entries[name] = file.read_bytes()
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED)
