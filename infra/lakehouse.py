"""The lakehouse as a whole: bring it up, take it down, remove it.

`bring_up` is one graph of steps: what must be fetched, built, started and set up, each begun as
soon as what it needs is there. It can be repeated at any time and then changes nothing.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import psutil

from flink_jobs.cluster import stop_with_savepoint
from infra import setup
from infra.artifacts import compute_sha256
from infra.environment import dbt_environment, superset_environment
from infra.errors import ServiceError
from infra.parts import Parts, fingerprint, run_quietly
from infra.progress import Reporter
from infra.secrets import ensure_secrets
from infra.services import Lakehouse, describe_services, render_flink_configuration
from infra.settings import REPOSITORY, Settings
from infra.steps import Step, run_steps, select_steps
from infra.supervision import Service, Supervisor, end_leftovers

# One-shot steps between the services: name, what it does, what must be there.
SETUP_STEPS: tuple[tuple[str, Callable[[Lakehouse], None], tuple[str, ...]], ...] = (
    ("databases", setup.ensure_databases, ("postgres",)),
    ("buckets and their users", setup.ensure_buckets, ("minio",)),
    ("topics", setup.ensure_topics, ("kafka",)),
    ("tables", setup.ensure_lake_tables, ("databases", "buckets and their users")),
    ("trino identity", setup.ensure_identity, ()),
    ("flink configuration", render_flink_configuration, ()),
)


def bring_up(settings: Settings, wanted: Collection[str] = ()) -> Lakehouse:
    """Fetch, build, start and set up whatever is not there yet.

    Args:
        settings: of which lakehouse.
        wanted: services and setup steps; these and what they need, all where none is named.

    Raises:
        TributaryError: naming what failed, and the remedy.
    """
    supervisor = Supervisor(settings)
    if not supervisor.is_running():
        supervisor.wait_until_gone()
        end_leftovers(settings.state)
        check_ports(settings)
    with Reporter() as reporter:
        parts = Parts(settings.parts, reporter)
        reporter.say("Parts (fetched and checked once):")
        run_steps(parts.steps(), reporter)
        lakehouse = Lakehouse(settings, ensure_secrets(settings), parts)
        services = list(describe_services(lakehouse))
        supervisor.start(services)
        reporter.say("Services:")
        steps = list(_start_steps(lakehouse, supervisor, services))
        run_steps(select_steps(steps, wanted) if wanted else steps, reporter)
    return lakehouse


def _start_steps(
    lakehouse: Lakehouse, supervisor: Supervisor, services: Sequence[Service]
) -> Iterator[Step]:
    for service in services:
        action = partial(supervisor.start_service, service)
        yield Step(service.name, action, after=service.after)
    for name, ensure, after in SETUP_STEPS:
        yield Step(name, partial(ensure, lakehouse), after)
    yield Step("marts", partial(ensure_marts, lakehouse), ("trino", "tables"))
    yield Step("dashboards", partial(import_dashboards, lakehouse), ("databases", "marts"))


def take_down(settings: Settings, reporter: Reporter) -> None:
    """Stop the producer, the job with a savepoint, then every service."""
    supervisor = Supervisor(settings)
    if not supervisor.is_running():
        supervisor.wait_until_gone()
        ended = end_leftovers(settings.state)
        reporter.say(f"ended {ended} leftover processes" if ended else "nothing is running")
        return
    for name in ("producer", "housekeeping", "attribution"):
        supervisor.stop_service(name)
    with reporter.step("savepoint"):
        path = stop_with_savepoint(settings)
        reporter.say(f"  the next start resumes from {path}" if path else "  the job did not run")
    with reporter.step("all services stopped"):
        supervisor.shutdown()


def remove(settings: Settings, reporter: Reporter) -> None:
    """Take it down and remove its state folder: data, logs, secrets, parts."""
    if settings.state.exists():
        take_down(settings, reporter)
        shutil.rmtree(settings.state)
    reporter.say(f"removed {settings.state}")


def ensure_marts(lakehouse: Lakehouse) -> None:
    """Build the marts unless they were built from these very models; housekeeping renews them."""
    files = [path for path in sorted((REPOSITORY / "dbt").rglob("*")) if path.is_file()]
    made_from = fingerprint(*(compute_sha256(path) for path in files))
    stamp = lakehouse.data / "marts.made-from"
    if stamp.exists() and stamp.read_text() == made_from:
        return
    build_marts(lakehouse)
    stamp.write_text(made_from)


def build_marts(lakehouse: Lakehouse) -> None:
    """`dbt build`: every model and every test.

    Raises:
        InstallError: with dbt's own words.
    """
    _build_quietly(lakehouse)


def _build_quietly(lakehouse: Lakehouse, *selection: str) -> None:
    with _only_writer_of_marts(lakehouse):
        run_quietly(
            _dbt_command(lakehouse, "build", *selection),
            cwd=REPOSITORY / "dbt",
            env=_dbt_environment(lakehouse),
        )


def refresh_marts(lakehouse: Lakehouse) -> None:
    """Build and test the hourly marts alone: what changes with the data.

    Raises:
        InstallError: with dbt's own words.
    """
    _build_quietly(lakehouse, "--selector", "refresh")


def run_dbt(lakehouse: Lakehouse, *arguments: str) -> int:
    """Any dbt command with its output shown; returns its exit code."""
    with _only_writer_of_marts(lakehouse):
        result = subprocess.run(
            _dbt_command(lakehouse, *arguments),
            cwd=REPOSITORY / "dbt",
            env=_dbt_environment(lakehouse),
            check=False,
        )
    return result.returncode


def _dbt_command(lakehouse: Lakehouse, *arguments: str) -> list[str]:
    dbt = lakehouse.settings.environment_python("dbt").with_name("dbt")
    return [str(dbt), "--no-use-colors", *arguments]


def _dbt_environment(lakehouse: Lakehouse) -> dict[str, str]:
    return {"PATH": os.defpath, **dbt_environment(lakehouse.settings, lakehouse.secrets)}


@contextmanager
def _only_writer_of_marts(lakehouse: Lakehouse) -> Iterator[None]:
    """Two builds at once would merge the same rows twice: the second one waits."""
    lakehouse.data.mkdir(parents=True, exist_ok=True)
    with (lakehouse.data / "marts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def import_dashboards(lakehouse: Lakehouse) -> None:
    """Superset's database, roles, users and the files of superset/assets."""
    settings = lakehouse.settings
    run_quietly(
        [str(settings.environment_python("superset")), "superset/provision.py"],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, **superset_environment(settings, lakehouse.secrets)},
    )


def check_ports(settings: Settings) -> None:
    """Make sure that every port is free.

    Raises:
        ServiceError: one line a busy port: the port, who holds it, the key to change.
    """
    holders = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    busy = [
        f"port {port} is held by {_describe_process(holders[port])}: end that, or change {key}"
        f" in {settings.topology_file}"
        for key, port in settings.topology.ports.items()
        if port in holders
    ]
    if busy:
        raise ServiceError("\n".join(busy))


def _describe_process(pid: int | None) -> str:
    """Name and id, as far as the system tells us of other users' processes."""
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "another user's process"
    except psutil.Error:
        return f"a process (pid {pid})"
