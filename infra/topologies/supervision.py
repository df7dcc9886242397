"""Supervision of the native topology: services in, a running supervisord out.

supervisord (the library) starts every service as a child of its own, restarts one that ends, and
rotates its log. Its configuration holds the services' credentials, so the file has mode 0600.
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
from configuration.templates import write_private
from infra.install.commands import run_quietly
from infra.install.waiting import wait_until
from infra.services.model import Service

# A service that ends is started again for ever; each failed start waits a second more.
START_RETRIES = 1_000_000
LOG_BYTES = 10_000_000
LOG_BACKUPS = 3
SOCKET_PATH_LIMIT = 100  # bytes; of a Unix socket's 108
SHUTDOWN_SECONDS = 180
# In the environment of every process of a lakehouse: its state folder.
STATE_VARIABLE = "TRIBUTARY_STATE"


@dataclass(frozen=True)
class ProcessState:
    """What supervisord says of a service."""

    name: str
    state: str
    pid: int | None
    uptime_seconds: int

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self.state in ("RUNNING", "STARTING")


class Supervisor:
    """The supervisord of one state folder."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.state / "supervisor"
        self._logs = settings.logs
        self._socket = self._folder / "socket"
        if len(os.fsencode(self._socket)) > SOCKET_PATH_LIMIT:
            raise ServiceError(
                f"paths.state = {settings.state}: too long a path for a Unix socket;"
                " check the repository out nearer to the root"
            )

    @property
    def _rpc(self) -> Any:
        """A connection for one call: supervisor's transport serves neither threads nor retries."""
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_running(self) -> bool:
        """Whether supervisord answers, and is not about to end."""
        try:
            return bool(self._rpc.getState()["statename"] == "RUNNING")
        except (OSError, Fault):  # a Fault: it is shutting down
            return False

    def wait_until_gone(self) -> None:
        """Wait for the end of a supervisord that is shutting down; nothing if there is none."""
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
        """Start supervisord, or make a running one take over what changed; starts no service."""
        for service in services:
            _write_files(service)
        self._write_configuration(services)
        if self.is_running():
            self._take_over_changes()
            return
        result = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", self._configuration],
            env={**_plain_environment(), STATE_VARIABLE: str(self._folder.parent)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if result.returncode != 0:
            raise ServiceError(f"supervisord did not start: {result.stderr or result.stdout}")
        wait_until(self.is_running, 20, "supervisord to answer")

    def start_service(self, service: Service) -> None:
        """Start one service unless it runs, and wait until it is ready.

        Raises:
            ServiceError: it did not become ready; the message ends with its log's last lines.
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
        """Stop one service and wait until it is gone; nothing if it does not run."""
        try:
            self._rpc.stopProcess(name, True)
        except Fault as fault:
            if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                raise ServiceError(f"{name}: {fault.faultString}") from None

    def stop_services(self, names: Collection[str]) -> None:
        """Stop these at the same time, and wait until all are gone."""
        with ThreadPoolExecutor(max_workers=len(names) or 1) as pool:
            for _ in pool.map(self.stop_service, names):
                pass

    def shutdown(self) -> None:
        """Stop every service, in reverse order of their start, and supervisord."""
        self._rpc.shutdown()
        self.wait_until_gone()

    def states(self) -> list[ProcessState]:
        """All services in the order of their start."""
        return [_read_state(info) for info in self._rpc.getAllProcessInfo()]

    def state(self, name: str) -> ProcessState:
        """One service."""
        return _read_state(self._rpc.getProcessInfo(name))

    def log(self, name: str) -> Path:
        """The service's log: both of its streams."""
        return self._logs / f"{name}.log"

    def _tail(self, name: str) -> str:
        return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])

    @property
    def _configuration(self) -> Path:
        return self._folder / "supervisord.conf"

    def _take_over_changes(self) -> None:
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
    """What must be there before a start."""
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
    """An empty folder that belongs to whom the service runs as."""
    if service.home:
        service.home.empty(folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _prefix(service: Service) -> list[str]:
    """What makes a command run as the service's own user, where it has one."""
    return service.home.prefix if service.home else []


def end_leftovers(state: Path) -> int:
    """End the processes of a lakehouse that nobody supervises any more; returns how many."""
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
    """What services inherit: nothing of the shell that happened to start them."""
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
    """Supervisord splits commands by shell rules but runs no shell."""
    return f'"{argument}"' if set(argument) & set(" *;'") else argument
