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

SOURCE_FOLDERS = tuple(
    Path(__file__).resolve().parent / name
    for name in ("intake", "message_format", "attribution_function")
)
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
    source_folders: Iterable[Path] = SOURCE_FOLDERS,
) -> bool:
    """Compile the folders and pack them into `output`; False where it is up to date.

    Args:
        java: executable of a JRE, 17 or newer.
        compiler: ecj's jar.
        class_path: Flink's jars.
        output: the jar; replaced at once, when it is complete.
        source_folders: Java files, and resources under `META-INF`.

    Raises:
        BuildError: with the compiler's words.
    """
    folders = list(source_folders)
    digest = _hash_sources(folders, compiler)
    if _built_digest(output) == digest:
        return False
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        classes = Path(scratch) / "classes"
        _compile(java, compiler, class_path, folders, classes)
        fresh = Path(scratch) / output.name
        _pack(fresh, digest, [(classes, "*"), *((folder, "META-INF/**/*") for folder in folders)])
        fresh.replace(output)
    return True


def _source_files(folders: list[Path]) -> list[Path]:
    return [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]


def _hash_sources(folders: list[Path], compiler: Path) -> str:
    """Changes with any source, its name, or the compiler's version (in its file name)."""
    total = hashlib.sha256(f"{compiler.name} {JAVA_RELEASE}".encode())
    for file in _source_files(folders):
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
    java: Path, compiler: Path, class_path: Iterable[Path], folders: list[Path], classes: Path
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
        [java, "-jar", compiler, *options, "-cp", joined, "-d", classes, *folders],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"the job's Java sources do not compile:\n{done.stderr.strip()}")


def _pack(jar: Path, digest: str, contents: list[tuple[Path, str]]) -> None:
    """Write sorted entries with fixed times; lists of services of one name become one list."""
    entries: dict[str, bytes] = {_DIGEST_NAME: digest.encode()}
    for root, pattern in contents:
        for file in sorted(root.rglob(pattern) if pattern == "*" else root.glob(pattern)):
            if file.is_file():
                name = file.relative_to(root).as_posix()
                entries[name] = entries.get(name, b"") + file.read_bytes()
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED)
