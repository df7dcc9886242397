"""Building: the job's Java sources in, one jar out, without a JDK.

Eclipse's compiler runs on a JRE. The jar is the same, byte for byte, for the same sources and
compiler, and is built again only when they change.
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
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
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
    """Compile the sources and pack them into `output`; False where it is up to date.

    Args:
        java: executable of a JRE, 17 or newer.
        compiler: ecj's jar.
        class_path: Flink's jars.
        output: the jar; replaced at once, when it is complete.
        sources: folder of Java files, and of resources under `META-INF`.

    Raises:
        BuildError: with the compiler's words.
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
    """Changes with any source, its name, or the compiler's version (in its file name)."""
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
    # -parameters: Flink takes the columns' names from those of constructor parameters.
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
    """Write sorted entries with fixed times."""
    entries: dict[str, bytes] = {_DIGEST_NAME: digest.encode()}
    for root, pattern in contents:
        for file in sorted(root.rglob(pattern) if pattern == "*" else root.glob(pattern)):
            if file.is_file():
                name = file.relative_to(root).as_posix()
                entries[name] = file.read_bytes()
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED)
