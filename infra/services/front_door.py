"""The front door: Caddy, which shows Flink's page to people who log in.

Flink's REST API has no users and no read-only mode: whoever reaches it can run code. So it answers
only to its certificate, which no browser has. Caddy has it, and hands on only requests that read.
"""

from configuration import REPOSITORY
from configuration.environment import FLINK_USER
from configuration.settings import LOOPBACK
from configuration.templates import render
from infra.services.flink_identity import login_file
from infra.services.model import Lakehouse, Service
from infra.services.probes import HttpProbe

TEMPLATE = REPOSITORY / "infra/front_door/Caddyfile"


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the proxy."""
    settings = lakehouse.settings
    file = lakehouse.configuration / "front-door/Caddyfile"
    data = lakehouse.data / "front-door"
    return Service(
        name="front-door",
        command=[lakehouse.parts.root / "caddy/caddy", "run", "--config", file],
        environment={"XDG_DATA_HOME": str(data), "GOMEMLIMIT": "64MiB"},
        files={file: _render(lakehouse)},
        folders=(data,),
        reads=(settings.flink_identity_file, login_file(settings)),
        probe=HttpProbe(
            f"{_own_url(lakehouse)}/overview",
            FLINK_USER,
            lakehouse.secrets.flink_operator_password,
        ),
        after=("jobmanager", "flink-identity"),
        ports=("flink.port",),
    )


def _render(lakehouse: Lakehouse) -> str:
    settings = lakehouse.settings
    inner, published = settings.topology, settings.published.flink
    return render(
        TEMPLATE,
        {
            "port": inner.flink.port,
            "bind_host": inner.network.bind_host,
            "hosts": " ".join(published.names),
            "address": published.authority,
            "rest_url": inner.flink.url,
            "identity_file": settings.flink_identity_file,
            "login_file": login_file(settings),
            "data_folder": lakehouse.data / "front-door",
        },
    )


def _own_url(lakehouse: Lakehouse) -> str:
    """Return the page's URL for the probe, which in containers runs beside Caddy."""
    flink = lakehouse.settings.topology.flink
    is_beside = lakehouse.settings.is_in_containers
    return f"http://{LOOPBACK}:{flink.port}" if is_beside else flink.page_url
