"""The marts: dbt builds and tests them on Trino, one writer at a time."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from configuration import REPOSITORY
from configuration.environment import dbt_environment
from configuration.errors import CommandError, MartsError, ServiceError
from configuration.settings import Settings
from infra.install.artifacts import compute_sha256
from infra.install.commands import run_quietly
from infra.install.parts import fingerprint
from infra.install.progress import console
from infra.services.model import Lakehouse, SetupStep, topology_environment

# dbt's arguments for the hourly marts alone: what changes with the data.
REFRESH = ("run", "--selector", "refresh")
# Trino's name for a query that wants more than its share of the heap.
OUT_OF_MEMORY = "EXCEEDED_LOCAL_MEMORY_LIMIT"
# Of each failed test, so many of the rows that it found.
SHOWN_ROWS = 10


def ensure_marts(lakehouse: Lakehouse) -> None:
    """Build the marts unless they were built from these very models; housekeeping renews them.

    Nothing is tested: data are by schedule, and models by whoever changes them (`make marts`).

    Raises:
        MartsError: with dbt's own words.
    """
    models, built = _models_fingerprint(), _built_stamp(lakehouse)
    if _read(built) != models:
        learn_weights(lakehouse)
        _run_dbt_quietly(lakehouse, "run")
        built.write_text(models)


def build_marts(lakehouse: Lakehouse) -> int:
    """`dbt build`, shown; returns its exit code.

    Every model, and every test of its data on all of history. The unit tests tell nothing new of
    models that passed them, and are a third of a build: they run where a file of dbt's is another
    one.
    """
    models, tested = _models_fingerprint(), _tested_stamp(lakehouse)
    learn_weights(lakehouse)
    known = _read(tested) == models
    code = run_dbt(lakehouse, "build", *(("--exclude-resource-type", "unit_test") if known else ()))
    if code == 0:
        for stamp in (_built_stamp(lakehouse), tested):
            stamp.write_text(models)
    return code


def _built_stamp(lakehouse: Lakehouse) -> Path:
    """Has the fingerprint of the models that the marts were built from."""
    return lakehouse.data / "marts.made-from"


def _tested_stamp(lakehouse: Lakehouse) -> Path:
    """Has the fingerprint of the models whose tests all passed."""
    return lakehouse.data / "marts.tested"


def _read(stamp: Path) -> str | None:
    return stamp.read_text() if stamp.exists() else None


def _models_fingerprint() -> str:
    files = [path for path in sorted((REPOSITORY / "dbt").rglob("*")) if path.is_file()]
    return fingerprint(*(compute_sha256(path) for path in files))


def learn_weights(lakehouse: Lakehouse) -> None:
    """Let the data-driven attribution models learn, if it is time to; makes their table.

    In a process of its own: what it computes with is nothing that others should have to load.

    Raises:
        CommandError: with the learning's own words.
    """
    with only_writer_of_marts(lakehouse) as lock:
        run_quietly(
            [str(lakehouse.settings.virtualenv_python("tools")), "-m", "attribution_models"],
            cwd=REPOSITORY,
            env={"PATH": os.defpath, **topology_environment(lakehouse)},
            pass_fds=(lock,),
        )


def _run_dbt_quietly(lakehouse: Lakehouse, *arguments: str) -> None:
    with only_writer_of_marts(lakehouse) as lock:
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


def refresh_marts(lakehouse: Lakehouse) -> None:
    """Build the hourly marts alone.

    Raises:
        MartsError: with dbt's own words.
    """
    _run_dbt_quietly(lakehouse, *REFRESH)


def check_marts(lakehouse: Lakehouse) -> None:
    """Test the data of every model; the histories of marts in their newest hours.

    Raises:
        MartsError: with dbt's own words.
    """
    _run_dbt_quietly(lakehouse, "test", "--select", "test_type:data", *_newest_hours(lakehouse))


def _newest_hours(lakehouse: Lakehouse) -> tuple[str, str]:
    """What nobody asked for costs the same, however long history is."""
    return "--vars", json.dumps({"tested_hours": lakehouse.settings.pipeline.marts.tested_hours})


def run_dbt(lakehouse: Lakehouse, *arguments: str) -> int:
    """Any dbt command, shown with the rows that failed tests found; returns its exit code."""
    with only_writer_of_marts(lakehouse) as lock:
        _run_results(lakehouse).unlink(missing_ok=True)
        result = _start_dbt(lakehouse, *arguments, pass_fds=(lock,))
        if result.returncode != 0:
            console.print(_explain_failure(lakehouse), markup=False, highlight=False)
    return result.returncode


def serve_docs(lakehouse: Lakehouse, port: int) -> None:
    """Dbt's documentation on the loopback address, until Ctrl-C.

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
            f"port {port}: {error.strerror}; `make docs PORT=...` takes another one"
        ) from None
    console.print(f"http://{host}:{port} until Ctrl-C")
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def _explain_failure(lakehouse: Lakehouse) -> str:
    """What dbt's last run does not say by itself: rows that failed tests found, and a remedy."""
    run_results = _run_results(lakehouse)
    results = json.loads(run_results.read_text())["results"] if run_results.exists() else []
    said = [each["message"] or "" for each in results]
    parts = _show_failing_rows(lakehouse, results), name_remedy(said, lakehouse.settings)
    return "\n".join(filter(None, parts))


def name_remedy(messages: Iterable[str], settings: Settings) -> str:
    """What to change after these messages of dbt's; '' where nobody knows."""
    if not any(OUT_OF_MEMORY in message for message in messages):
        return ""
    trino = settings.topology.trino
    apply = (
        "raise it, and mem_limit of trino in docker-compose.yaml by as much, `make up`"
        if settings.is_in_containers
        else "raise it, `make stop`, `make run`"
    )
    return (
        f"{settings.topology_file}: heap_mb of [trino] is {trino.heap_mb}, and a query may have a"
        f" third of it: this build needs more; {apply}"
    )


def _show_failing_rows(lakehouse: Lakehouse, results: list[dict[str, Any]]) -> str:
    """Of each failed test, dbt's preview of the first rows that it found."""
    failed = [
        each["unique_id"].split(".")[2]
        for each in results
        if each["unique_id"].startswith("test.") and each["status"] == "fail"
    ]
    if not failed:
        return ""
    # As JSON: dbt's tables cut a value after 20 characters, which an id is longer than.
    arguments = ("show", "--output", "json", "--limit", str(SHOWN_ROWS), "--select", *failed)
    return _start_dbt(lakehouse, *arguments, is_shown=False).stdout


def _start_dbt(
    lakehouse: Lakehouse, *arguments: str, is_shown: bool = True, pass_fds: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """A dbt command to its end, whatever that is; its output goes to the terminal, or is kept."""
    return subprocess.run(
        _dbt_command(lakehouse, *arguments),
        cwd=REPOSITORY / "dbt",
        env=_dbt_environment(lakehouse),
        capture_output=not is_shown,
        text=True,
        check=False,
        pass_fds=pass_fds,
    )


def _run_results(lakehouse: Lakehouse) -> Path:
    return _target_folder(lakehouse) / "run_results.json"


def _target_folder(lakehouse: Lakehouse) -> Path:
    """Where dbt puts what it makes: compiled SQL, results, documentation."""
    return Path(_dbt_environment(lakehouse)["DBT_TARGET_PATH"])


def _dbt_command(lakehouse: Lakehouse, *arguments: str) -> list[str]:
    dbt = lakehouse.settings.virtualenv_python("dbt").with_name("dbt")
    return [str(dbt), "--no-use-colors", *arguments]


def _dbt_environment(lakehouse: Lakehouse) -> dict[str, str]:
    return {"PATH": os.defpath, **dbt_environment(lakehouse.settings, lakehouse.secrets)}


@contextmanager
def only_writer_of_marts(lakehouse: Lakehouse) -> Iterator[int]:
    """Two builds at once would merge the same rows twice: the second one waits.

    Yields the lock's file descriptor. Whoever inherits it holds the lock too: a dbt whose parent
    was killed goes on building.
    """
    lakehouse.data.mkdir(parents=True, exist_ok=True)
    with (lakehouse.data / "marts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


SETUP_STEPS = (SetupStep("marts", ensure_marts, ("trino", "tables")),)
