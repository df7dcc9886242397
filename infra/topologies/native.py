"""The lakehouse as a whole: bring it up, take it down, remove it.

`bring_up` is one graph of steps: what must be fetched, built, started and set up, each begun as
soon as what it needs is there. It can be repeated at any time and then changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

import psutil

from configuration.errors import ServiceError
from configuration.secrets import ensure_secrets
from configuration.settings import Settings
from flink_jobs.cluster import ClusterError, stop_with_savepoint
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.install.steps import Step, run_steps, select_steps
from infra.services.homes import find_home, remove_state
from infra.services.model import Lakehouse, Service
from infra.services.registry import SETUP_STEPS, describe_services
from infra.topologies.supervision import Supervisor, end_leftovers

# What the others keep their data in: stopped last.
STORES = ("postgres", "minio", "kafka")


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
        parts.ensure(parts.steps())
        home = find_home(settings.state, parts.root / "postgres")
        lakehouse = Lakehouse(settings, ensure_secrets(settings), parts, home)
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
    for setup_step in SETUP_STEPS:
        action = partial(setup_step.ensure, lakehouse)
        yield Step(setup_step.name, action, setup_step.after)


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
        try:
            path = stop_with_savepoint(settings)
        except ClusterError as error:  # no reason to leave the rest running
            reporter.say(f"  none: {error}")
        else:
            reporter.say(
                f"  the next start resumes from {path}" if path else "  the job did not run"
            )
    with reporter.step("all services stopped"):
        # supervisord by itself stops one after the other.
        running = [state.name for state in supervisor.states() if state.is_running]
        supervisor.stop_services([name for name in running if name not in STORES])
        supervisor.shutdown()


def remove(settings: Settings, reporter: Reporter) -> None:
    """Take it down and remove its state folder: data, logs, secrets, parts; its home too."""
    if settings.state.exists():
        take_down(settings, reporter)
    remove_state(settings.state)
    reporter.say(f"removed {settings.state}")


def check_ports(settings: Settings) -> None:
    """Make sure that every port is free.

    Raises:
        ServiceError: one line a busy port: the port, who holds it, the key to change.
    """
    addresses = (settings.topology.network.bind_host, "0.0.0.0", "::")  # noqa: S104
    holders = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr
        and connection.laddr.ip in addresses
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
