"""The container topology: write a folder for each service, with all files that it reads.

`docker-compose.yaml` mounts `services/NAME` of the volume `state`, read-only, as the container's
state folder. It holds only that service's credentials. They are not in the image, the arguments or
the output of `docker inspect`.

| file | content |
|---|---|
| `launch` | shell script: sets environment variables, then runs the service, or its arguments |
| `probe.json` | the probe for the healthcheck (probes.py) |
| `secrets.toml` | for our own programs: the secrets that the service may read |
| `configuration/`, `trino-ca.pem` | other files that the service reads |
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

from configuration.secrets import Secrets, ensure_secrets, format_secrets
from configuration.settings import Settings
from configuration.templates import OWNER_ONLY, write_private
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.services import flink, kafka_access, trino
from infra.services.model import FirstRun, Lakehouse, Service
from infra.services.registry import describe_services

WITHHELD = "withheld: not among the secrets granted to this service (infra/services/)"
# Folders where a container mounts volumes that it may write.
MOUNT_POINTS = ("data", "logs", "dbt")


def write_folders(settings: Settings) -> None:
    """Create secrets and identities if missing, and rewrite every service's folder."""
    lakehouse = Lakehouse(settings, ensure_secrets(settings), Parts(settings.parts, Reporter()))
    trino.ensure_identity(lakehouse)
    kafka_access.ensure_identity(lakehouse)
    flink.ensure_identity(lakehouse)
    _make_mount_points(settings.state)
    for service in (*describe_services(lakehouse), trino.describe_prompt(lakehouse)):
        write_folder(service, lakehouse, settings.state / "services" / service.name)


def write_folder(service: Service, lakehouse: Lakehouse, folder: Path) -> None:
    """Write one service's folder; a running container sees each file change atomically."""
    _make_mount_points(folder)
    for path, content in _list_files(service, lakehouse):
        write_private(folder / path, content)


def _make_mount_points(folder: Path) -> None:
    for name in MOUNT_POINTS:
        mount_point = folder / name
        mount_point.mkdir(parents=True, exist_ok=True)
        mount_point.chmod(0o1777)  # a tmpfs belongs to root and takes the mode of its mount point


def _list_files(service: Service, lakehouse: Lakehouse) -> Iterator[tuple[Path, str | bytes]]:
    """Yield the path (relative to the state folder) and the content of each file."""
    state = lakehouse.settings.state
    yield Path("launch"), render_launch(service)
    if service.probe:
        yield Path("probe.json"), service.probe.to_json()
    if service.grants:
        yield Path("secrets.toml"), format_secrets(_grant(lakehouse.secrets, service.grants))
    for file, text in service.files.items():
        yield file.relative_to(state), text
    for file in service.reads:
        yield file.relative_to(state), file.read_bytes()


def _grant(secrets: Secrets, names: tuple[str, ...]) -> dict[str, str]:
    return {
        name: value if name in names else WITHHELD for name, value in secrets.model_dump().items()
    }


def render_launch(service: Service) -> str:
    """Render the start script, which sets variables and runs the service, or its arguments."""
    lines = ["#!/bin/sh", "set -eu", f"umask {OWNER_ONLY:03o}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in service.environment.items()]
    if service.directory:
        lines.append(f"cd {_quote(service.directory)}")
    lines.append('[ $# -eq 0 ] || exec "$@"')
    if service.folders:
        lines.append(f"mkdir -p {_quote(*service.folders)}")
    if service.first_run:
        lines += _render_first_run(service.first_run)
    lines.append(f"exec {_quote(*service.command)}")
    return "\n".join(lines) + "\n"


def _render_first_run(first: FirstRun) -> Iterator[str]:
    yield f"if [ ! -e {_quote(first.leaves)} ]; then"
    if first.scratch:
        yield f"    rm -rf {_quote(first.scratch)}"
    yield f"    {_quote(*first.command)}"
    if first.scratch:
        yield f"    mv {_quote(first.scratch, first.leaves)}"
    yield "fi"


def _quote(*arguments: str | Path) -> str:
    return shlex.join(map(str, arguments))
