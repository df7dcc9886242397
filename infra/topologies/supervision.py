"""supervisord, which runs the services of the native topology.

It starts every service as its own child, restarts a service that ends, and rotates its log. Its
configuration contains the services' credentials, so the file has mode 0600.
"""

import configparser
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from configuration.errors import ServiceError
from configuration.settings import Settings
from configuration.templates import OWNER_ONLY, write_private
from configuration.waiting import wait_until
from infra.install.commands import run_quietly
from infra.services.model import Service

# Practically unlimited: a service that ends is always restarted. supervisord waits a second longer
# after each failed start.
START_RETRIES = 1_000_000
LOG_BYTES = 10_000_000
LOG_BACKUPS = 3
SOCKET_PATH_LIMIT = 100  # bytes; a Unix socket's path may have at most 108
SHUTDOWN_SECONDS = 180
UMASK = f"{OWNER_ONLY:03o}"
# Every process of a lakehouse has this environment variable. Its value is the state folder.
STATE_VARIABLE = "TRIBUTARY_STATE"


@dataclass(frozen=True)
class ProcessState:
    """A service's state according to supervisord."""

    name: str
    state: str
    pid: int | None
    uptime_seconds: int

    @property
    def is_running(self) -> bool:
        """Whether the service has a process."""
        return self.state in ("RUNNING", "STARTING")


class Supervisor:
    """The supervisord of one state folder."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.state / "supervisor"
        self._logs = settings.logs
        self._socket = self._folder / "socket"
        if len(os.fsencode(self._socket)) > SOCKET_PATH_LIMIT:
            raise ServiceError(
                f"paths.state = {settings.state}: the path is too long for a Unix socket; check"
                " the repository out to a shorter path"
            )

    @property
    def _rpc(self) -> Any:
        """A connection for one call: supervisor's transport allows neither threads nor retries."""
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_running(self) -> bool:
        """Return whether supervisord answers and is not shutting down."""
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except (OSError, Fault):  # a Fault means that it is shutting down
            return False

    def wait_until_gone(self) -> None:
        """Wait until a supervisord that is shutting down has ended.

        Raises:
            ServiceError: it did not end within `SHUTDOWN_SECONDS`.
        """
        process = self._find_process()
        if process is None:
            return
        try:
            process.wait(SHUTDOWN_SECONDS)
        except psutil.TimeoutExpired:
            raise ServiceError(
                f"supervisord (pid {process.pid}) did not end within {SHUTDOWN_SECONDS} s; see"
                f" {self.log('supervisord')}"
            ) from None

    def _find_process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int((self._folder / "pid").read_text()))
            return process if "supervisor.supervisord" in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def start(self, services: Sequence[Service]) -> None:
        """Start supervisord, or reload its configuration if it runs; start no service.

        A service whose configuration in supervisord changed is stopped.

        Raises:
            ServiceError: supervisord did not start.
        """
        for service in services:
            _write_files(service)
        self._write_configuration(services)
        if self.is_running():
            self._reload_changes()
            return
        result = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", self._configuration],
            env={**_plain_environment(), STATE_VARIABLE: str(self._folder.parent)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            umask=OWNER_ONLY,  # it opens its log before it applies its own umask
        )
        if result.returncode != 0:
            raise ServiceError(f"supervisord did not start: {result.stderr or result.stdout}")
        wait_until(self.is_running, 20, "supervisord to answer")

    def start_service(self, service: Service) -> None:
        """Start one service unless it runs, and wait until it is ready.

        Raises:
            ServiceError: the service did not start or become ready. In the latter case the message
                ends with the last lines of its log.
        """
        if not self.state(service.name).is_running:
            _prepare(service)
            try:
                self._rpc.startProcess(service.name, False)
            except Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    raise ServiceError(f"{service.name}: {fault.faultString}") from None
        try:
            probe = service.probe
            if probe:
                wait_until(probe.is_ready, service.ready_seconds, service.name)
        except ServiceError:
            raise ServiceError(
                f"{service.name} was not ready after {service.ready_seconds} s; the end of"
                f" {self.log(service.name)}:\n{self._tail(service.name)}"
            ) from None

    def stop_service(self, name: str) -> None:
        """Stop one service if it runs, and wait until it has ended."""
        try:
            self._rpc.stopProcess(name, True)
        except Fault as fault:
            if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                raise ServiceError(f"{name}: {fault.faultString}") from None

    def stop_services(self, names: Collection[str]) -> None:
        """Stop these services in parallel, and wait until all have ended."""
        with ThreadPoolExecutor(max_workers=len(names) or 1) as pool:
            for _ in pool.map(self.stop_service, names):
                pass

    def shutdown(self) -> None:
        """Stop every service in reverse start order, then supervisord."""
        self._rpc.shutdown()
        self.wait_until_gone()

    def states(self) -> list[ProcessState]:
        """Return the states of all services, in start order."""
        return [_read_state(info) for info in self._rpc.getAllProcessInfo()]

    def state(self, name: str) -> ProcessState:
        """Return the state of one service."""
        return _read_state(self._rpc.getProcessInfo(name))

    def log(self, name: str) -> Path:
        """Return the path of a service's log, which holds stdout and stderr."""
        return self._logs / f"{name}.log"

    def _tail(self, name: str) -> str:
        return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])

    @property
    def _configuration(self) -> Path:
        return self._folder / "supervisord.conf"

    def _reload_changes(self) -> None:
        [[added, changed, removed]] = self._rpc.reloadConfig()
        for name in [*changed, *removed]:
            self.stop_service(name)
            self._rpc.removeProcessGroup(name)
        for name in [*added, *changed]:
            self._rpc.addProcessGroup(name)

    def _write_configuration(self, services: Sequence[Service]) -> None:
        parser = configparser.ConfigParser(interpolation=None)
        parser["unix_http_server"] = {"file": str(self._socket), "chmod": "0600"}
        parser["supervisord"] = {
            "logfile": str(self._logs / "supervisord.log"),
            "pidfile": str(self._folder / "pid"),
            "childlogdir": str(self._logs),
            "identifier": "tributary",
            "umask": UMASK,
            **({"user": "root"} if os.geteuid() == 0 else {}),
        }
        parser["rpcinterface:supervisor"] = {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        }
        for priority, service in enumerate(services):
            parser[f"program:{service.name}"] = self._describe(service, priority)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        parser.write(text)
        write_private(self._configuration, text.getvalue())

    def _describe(self, service: Service, priority: int) -> dict[str, str]:
        environment = {**service.environment, STATE_VARIABLE: str(self._folder.parent)}
        command = [*_prefix(service), *service.command]
        program = {
            "command": " ".join(_quote(str(part)) for part in command),
            "environment": ",".join(f'{key}="{value}"' for key, value in environment.items()),
            "directory": str(service.directory or self._folder),
            # A supervisord of an earlier version that still runs has another umask of its own.
            "umask": UMASK,
            "priority": str(priority),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "2",
            "startretries": str(START_RETRIES),
            "stopsignal": service.stop_signal,
            "stopwaitsecs": str(service.stop_seconds),
            "stopasgroup": "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(self.log(service.name)),
            "stdout_logfile_maxbytes": str(LOG_BYTES),
            "stdout_logfile_backups": str(LOG_BACKUPS),
        }
        return {key: value.replace("%", "%%") for key, value in program.items()}


def _write_files(service: Service) -> None:
    if service.home:
        service.home.make()
    for file, text in service.files.items():
        write_private(file, text, service.home.owner if service.home else None)


def _prepare(service: Service) -> None:
    """Create what a service needs before it starts: home, folders, result of the first run."""
    if service.home:
        service.home.prepare()
    for folder in service.folders:
        folder.mkdir(parents=True, exist_ok=True)
    first = service.first_run
    if first is None or first.leaves.exists():
        return
    if first.scratch:
        _empty(first.scratch, service)
    run_quietly(
        [*_prefix(service), *map(str, first.command)],
        cwd=service.directory,
        env=_plain_environment(),
    )
    if first.scratch:
        first.scratch.rename(first.leaves)


def _empty(folder: Path, service: Service) -> None:
    """Replace `folder` by an empty one that belongs to the service's user."""
    if service.home:
        service.home.empty(folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _prefix(service: Service) -> list[str]:
    """Return the command prefix that runs a command as the service's own user, if it has one."""
    return service.home.prefix if service.home else []


def end_leftovers(state: Path) -> int:
    """Stop processes that a killed supervisord left behind, and return how many."""
    leftovers = [process for process in psutil.process_iter() if _belongs_to(process, state)]
    for process in leftovers:
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(leftovers, timeout=30)
    for process in alive:
        process.kill()
    return len(leftovers)


def _belongs_to(process: psutil.Process, state: Path) -> bool:
    try:
        return process.environ().get(STATE_VARIABLE) == str(state)
    except psutil.Error:
        return False


def _plain_environment() -> dict[str, str]:
    """Return the few variables that services inherit from the shell that starts them."""
    kept = ("PATH", "HOME", "USER", "TMPDIR", "TZ")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return {"LANG": "C.UTF-8", **inherited}


def _read_state(info: Mapping[str, Any]) -> ProcessState:
    is_running = info["statename"] in ("RUNNING", "STARTING")
    return ProcessState(
        name=info["name"],
        state=info["statename"],
        pid=info["pid"] or None,
        uptime_seconds=int(time.time()) - info["start"] if is_running else 0,
    )


def _quote(argument: str) -> str:
    """Quote an argument: supervisord splits commands by shell rules but runs no shell."""
    return f'"{argument}"' if set(argument) & set(" *;'") else argument
