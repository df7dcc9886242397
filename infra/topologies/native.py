"""The native topology: start, stop and remove a whole lakehouse on this machine.

`bring_up` fetches and builds parts, then starts services and runs setup steps. Each step starts as
soon as its dependencies are done. You can repeat it at any time; a repetition changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

import psutil

from configuration.errors import ServiceError, TributaryError
from configuration.secrets import ensure_secrets
from configuration.settings import Settings
from configuration.templates import make_private_folder, owner_only
from flink_jobs.cluster import stop_with_savepoint
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.install.steps import Step, run_steps, select_steps
from infra.services.homes import find_home, remove_state
from infra.services.model import Lakehouse, Service
from infra.services.registry import SETUP_STEPS, describe_services
from infra.topologies.supervision import Supervisor, end_leftovers

# The other services store data in these, so they stop last.
STORES = ("postgres", "minio", "kafka")


def bring_up(settings: Settings, wanted: Collection[str] = ()) -> Lakehouse:
    """Fetch, build, start and set up everything that is missing.

    Only the current user can enter the state folder. What is made there is for its owner only, too,
    except parts, which hold no secret and may be shared.

    Args:
        settings: the settings of the lakehouse.
        wanted: names of services and setup steps; these and their dependencies are started. Empty
            means all.

    Raises:
        TributaryError: a step failed; the message names it and the remedy.
    """
    make_private_folder(settings.state)
    supervisor = Supervisor(settings)
    if not supervisor.is_running():
        supervisor.wait_until_gone()
        end_leftovers(settings.state)
        check_ports(settings)
    with Reporter() as reporter:
        parts = Parts(settings.parts, reporter)
        reporter.say("Parts (fetched and checked once):")
        parts.ensure(parts.steps())
        with owner_only():
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
    """Stop the producer, stop the job with a savepoint, then stop every service."""
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
        except TributaryError as error:  # stop the other services anyway
            reporter.say(f"  no savepoint: {error}")
        else:
            reporter.say(
                f"  the next start resumes from {path}" if path else "  the job was not running"
            )
    with reporter.step("all services stopped"):
        # supervisord alone would stop them one at a time.
        running = [state.name for state in supervisor.states() if state.is_running]
        supervisor.stop_services([name for name in running if name not in STORES])
        supervisor.shutdown()


def remove(settings: Settings, reporter: Reporter) -> None:
    """Stop the lakehouse and remove its state folder (data, logs, secrets, parts) and its home."""
    if settings.state.exists():
        take_down(settings, reporter)
    remove_state(settings.state)
    reporter.say(f"removed {settings.state}")


def check_ports(settings: Settings) -> None:
    """Check that every port is free.

    Raises:
        ServiceError: ports are in use. The message has a line for each: the port, the process that
            holds it, and the key to change.
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
        f"port {port} is held by {_describe_process(holders[port])}: stop that, or change {key}"
        f" in {settings.topology_file}"
        for key, port in settings.topology.ports.items()
        if port in holders
    ]
    if busy:
        raise ServiceError("\n".join(busy))


def _describe_process(pid: int | None) -> str:
    """Return name and id, if the system shows them; it may hide other users' processes."""
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "another user's process"
    except psutil.Error:
        return f"a process (pid {pid})"
