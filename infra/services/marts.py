"""The marts: dbt builds and tests them on Trino, with one writer at a time."""

import fcntl
import json
import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from configuration import REPOSITORY
from configuration.environment import dbt_environment, marts_settings
from configuration.errors import CommandError, MartsError, ServiceError
from configuration.settings import Settings
from configuration.terminal import run_escaped
from configuration.trino_client import TrinoClient
from infra.install.artifacts import compute_sha256
from infra.install.commands import run_quietly
from infra.install.parts import fingerprint
from infra.install.progress import console
from infra.services.model import Lakehouse, SetupStep, topology_environment

# dbt's arguments that build only the hourly marts, which change with the data.
REFRESH = ("run", "--selector", "refresh")
# Trino's errors if a query needs more than its share of the heap, or all queries more than theirs.
OUT_OF_MEMORY = ("EXCEEDED_LOCAL_MEMORY_LIMIT", "CLUSTER_OUT_OF_MEMORY")
# Rows shown for each failed test.
SHOWN_ROWS = 10


@dataclass(frozen=True)
class Build:
    """The last build of a model: when it ended, and dbt's error; '' if it succeeded."""

    ended_at: str
    error: str


def ensure_marts(lakehouse: Lakehouse) -> None:
    """Build the marts unless they were built from the current models; housekeeping updates them.

    This runs no tests. Housekeeping tests the data on a schedule, and whoever changes a model tests
    it with `make marts`.

    Raises:
        MartsError: dbt failed; the message includes its output.
    """
    models, built = _models_fingerprint(), _built_stamp(lakehouse)
    if _read(built) != models:
        _try_to_learn(lakehouse)
        _run_dbt_quietly(lakehouse, "run")
        built.write_text(models)


def build_marts(lakehouse: Lakehouse) -> int:
    """Run `dbt build`, show its output, and return its exit code.

    It builds every model and runs all data tests on all of history. Unit tests take a third of a
    build and depend on dbt's files only, so they are skipped if these files already passed.
    """
    models, tested = _models_fingerprint(), _tested_stamp(lakehouse)
    _try_to_learn(lakehouse)
    is_tested = _read(tested) == models
    excluded = ("--exclude-resource-type", "unit_test") if is_tested else ()
    code = run_dbt(lakehouse, "build", *excluded)
    if code == 0:
        for stamp in (_built_stamp(lakehouse), tested):
            stamp.write_text(models)
    return code


def _built_stamp(lakehouse: Lakehouse) -> Path:
    """Return the file with the fingerprint of the models that the marts were built from."""
    return lakehouse.data / "marts.made-from"


def _tested_stamp(lakehouse: Lakehouse) -> Path:
    """Return the file with the fingerprint of the models whose tests all passed."""
    return lakehouse.data / "marts.tested"


def _read(stamp: Path) -> str | None:
    return stamp.read_text() if stamp.exists() else None


def _models_fingerprint() -> str:
    files = [path for path in sorted((REPOSITORY / "dbt").rglob("*")) if path.is_file()]
    return fingerprint(*(compute_sha256(path) for path in files))


def learn_weights(lakehouse: Lakehouse) -> None:
    """Train the data-driven attribution models if they are due, and create their table.

    This runs in a separate process, so that no other process has to load the numerical libraries.
    Builds need not wait for it: it adds its rows in one commit, to a table that no build writes.

    Raises:
        CommandError: training failed; the message includes its output.
    """
    with _only_holder(lakehouse, "learning.lock", "learning") as lock:
        run_quietly(
            [str(lakehouse.settings.virtualenv_python("tools")), "-m", "attribution_models"],
            cwd=REPOSITORY,
            env={"PATH": os.defpath, **topology_environment(lakehouse)},
            pass_fds=(lock,),
        )


def _try_to_learn(lakehouse: Lakehouse) -> None:
    """Train the models; if that fails, say so and go on, because the marts need no new weights."""
    try:
        learn_weights(lakehouse)
    except CommandError as error:
        console.print(f"WARNING: {error}", markup=False, highlight=False)
        console.print("The models keep the weights that they have. Housekeeping tries again.")


def _run_dbt_quietly(lakehouse: Lakehouse, *arguments: str) -> None:
    with only_writer_of_marts(lakehouse, _describe_dbt(arguments)) as lock:
        _run_results(lakehouse).unlink(missing_ok=True)
        try:
            run_quietly(
                _dbt_command(lakehouse, *arguments),
                cwd=REPOSITORY / "dbt",
                env=_dbt_environment(lakehouse),
                pass_fds=(lock,),
            )
        except CommandError as error:
            raise MartsError(f"{error}\n{_explain_failure(lakehouse)}") from None
        finally:
            _note_builds(lakehouse)


def refresh_marts(lakehouse: Lakehouse) -> None:
    """Build only the hourly marts.

    Raises:
        MartsError: dbt failed; the message includes its output.
    """
    _run_dbt_quietly(lakehouse, *REFRESH)


def check_marts(lakehouse: Lakehouse) -> None:
    """Test the data of every model; compare only the newest hours of the marts.

    Raises:
        MartsError: dbt or a test failed; the message includes dbt's output.
    """
    _run_dbt_quietly(lakehouse, "test", "--select", "test_type:data", *_newest_hours(lakehouse))


def _newest_hours(lakehouse: Lakehouse) -> tuple[str, str]:
    """Scheduled tests cover recent hours only, so their cost does not grow with history."""
    return "--vars", json.dumps({"tested_hours": lakehouse.settings.pipeline.marts.tested_hours})


def run_dbt(lakehouse: Lakehouse, *arguments: str) -> int:
    """Run a dbt command, show its output and the rows that failed tests found; return its code."""
    with only_writer_of_marts(lakehouse, _describe_dbt(arguments)) as lock:
        _run_results(lakehouse).unlink(missing_ok=True)
        code = run_escaped(
            _dbt_command(lakehouse, *arguments),
            cwd=REPOSITORY / "dbt",
            env=_dbt_environment(lakehouse),
            pass_fds=(lock,),
        )
        _note_builds(lakehouse)
        if code != 0:
            console.print(_explain_failure(lakehouse), markup=False, highlight=False)
    return code


def list_marts(trino: TrinoClient) -> list[str]:
    """Return the tables of the schema marts, without views, which store nothing."""
    rows = trino.query(
        "select table_name from information_schema.tables"
        " where table_schema = 'marts' and table_type = 'BASE TABLE'"
    )
    return [f"marts.{name}" for (name,) in rows]


def read_builds(lakehouse: Lakehouse) -> dict[str, Build]:
    """Return the last build of each model that was ever built, by the model's name."""
    noted = json.loads(_read(_builds_file(lakehouse)) or "{}")
    return {name: Build(**build) for name, build in noted.items()}


def _note_builds(lakehouse: Lakehouse) -> None:
    """Note how the models of dbt's last command ended; the next command overwrites its results."""
    noted = read_builds(lakehouse)
    ended_at = datetime.now(UTC).isoformat(timespec="seconds")
    for each in _read_results(lakehouse):
        kind, _, name = each["unique_id"].split(".")[:3]
        if kind == "model":
            error = "" if each["status"] == "success" else each["message"] or each["status"]
            noted[name] = Build(ended_at, error)
    text = json.dumps({name: asdict(build) for name, build in noted.items()})
    _builds_file(lakehouse).write_text(text)


def _builds_file(lakehouse: Lakehouse) -> Path:
    return lakehouse.data / "marts.builds.json"


def _read_results(lakehouse: Lakehouse) -> list[dict[str, Any]]:
    """Return what dbt's last command did to each model and test."""
    text = _read(_run_results(lakehouse))
    results: list[dict[str, Any]] = json.loads(text)["results"] if text else []
    return results


def serve_docs(lakehouse: Lakehouse, port: int) -> None:
    """Serve dbt's documentation on the loopback address until Ctrl-C.

    Raises:
        ServiceError: the port is taken.
    """
    host = lakehouse.settings.topology.network.bind_host
    folder = str(_target_folder(lakehouse))
    try:
        server = ThreadingHTTPServer(
            (host, port), partial(SimpleHTTPRequestHandler, directory=folder)
        )
    except OSError as error:
        raise ServiceError(
            f"port {port}: {error.strerror}; choose another with `make docs PORT=...`"
        ) from None
    console.print(f"http://{host}:{port} (stop with Ctrl-C)")
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def _explain_failure(lakehouse: Lakehouse) -> str:
    """Return what dbt's output lacks: the rows that failed tests found, and a remedy."""
    results = _read_results(lakehouse)
    messages = [each["message"] or "" for each in results]
    parts = _show_failing_rows(lakehouse, results), name_remedy(messages, lakehouse.settings)
    return "\n".join(filter(None, parts))


def name_remedy(messages: Iterable[str], settings: Settings) -> str:
    """Return the remedy for these messages from dbt; '' if none is known."""
    if not any(error in message for message in messages for error in OUT_OF_MEMORY):
        return ""
    trino = settings.topology.trino
    apply = (
        "raise it, and mem_limit of trino in docker-compose.yaml by as much, then `make up`"
        if settings.is_in_containers
        else "raise it, then `make stop` and `make run`"
    )
    return (
        f"{settings.topology_file}: heap_mb of [trino] is {trino.heap_mb}; a query may use a"
        f" quarter of it, and all queries 40 %. Build again when no other query runs, or {apply}"
    )


def _show_failing_rows(lakehouse: Lakehouse, results: list[dict[str, Any]]) -> str:
    """Return dbt's preview of the first rows that each failed test found."""
    failed = [
        each["unique_id"].split(".")[2]
        for each in results
        if each["unique_id"].startswith("test.") and each["status"] == "fail"
    ]
    if not failed:
        return ""
    # As JSON: dbt's tables cut values after 20 characters, and ids are longer.
    arguments = ("show", "--output", "json", "--limit", str(SHOWN_ROWS), "--select", *failed)
    return subprocess.run(
        _dbt_command(lakehouse, *arguments),
        cwd=REPOSITORY / "dbt",
        env=_dbt_environment(lakehouse),
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def _run_results(lakehouse: Lakehouse) -> Path:
    return _target_folder(lakehouse) / "run_results.json"


def _target_folder(lakehouse: Lakehouse) -> Path:
    """Return dbt's output folder: compiled SQL, results, documentation."""
    return Path(dbt_environment(lakehouse.settings, lakehouse.secrets)["DBT_TARGET_PATH"])


def find_dbt(settings: Settings) -> Path:
    """Return dbt's program."""
    return settings.virtualenv_python("dbt").with_name("dbt")


def _dbt_command(lakehouse: Lakehouse, *arguments: str) -> list[str]:
    return [str(find_dbt(lakehouse.settings)), "--no-use-colors", *arguments]


def _describe_dbt(arguments: Sequence[str]) -> str:
    return shlex.join(("dbt", *arguments))


def _dbt_environment(lakehouse: Lakehouse) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        **dbt_environment(lakehouse.settings, lakehouse.secrets),
        "MARTS_LOCK": "held",
        "MARTS_MADE_FROM": fingerprint(
            _models_fingerprint(), json.dumps(marts_settings(lakehouse.settings))
        ),
    }


@contextmanager
def only_writer_of_marts(lakehouse: Lakehouse, work: str) -> Iterator[int]:
    """Hold the lock on the marts; two builds at once would merge the same rows twice.

    If another one holds it, says which `work` that does, and waits. Yields the lock's file
    descriptor. A process that inherits it holds the lock too. So dbt keeps the lock if its parent
    is killed while it builds.
    """
    with _only_holder(lakehouse, "marts.lock", work) as lock:
        yield lock


@contextmanager
def _only_holder(lakehouse: Lakehouse, name: str, work: str) -> Iterator[int]:
    """Hold a lock file of the data folder, in which the work is named; yields its descriptor."""
    lakehouse.data.mkdir(parents=True, exist_ok=True)
    # Not "w", which would empty the file before it is ours.
    with (lakehouse.data / name).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            console.print(f"waiting for the end of: {lock.read()}", markup=False, highlight=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{work}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        lock.flush()
        yield lock.fileno()


SETUP_STEPS = (SetupStep("marts", ensure_marts, ("trino", "tables")),)
