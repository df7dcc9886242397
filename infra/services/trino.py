"""Trino, the query engine, and its command-line prompt."""

from datetime import UTC, datetime

from configuration import REPOSITORY
from configuration.environment import trino_environment
from infra.services.model import (
    Lakehouse,
    Service,
    SetupStep,
    archive_options,
    find_archive,
    tools_python,
)
from infra.services.probes import TrinoProbe
from infra.services.trino_identity import ensure_trino_identity, trino_identity_files


def describe_prompt(lakehouse: Lakehouse) -> Service:
    """Describe Trino's prompt: `make sql` and `docker compose run sql` open it."""
    settings = lakehouse.settings
    # The image of Trino has no virtual environment, only the system's Python.
    python = "python3" if settings.is_in_containers else tools_python(lakehouse)
    return Service(
        name="sql",
        command=[
            *(python, "-m", "infra.services.prompt"),
            lakehouse.parts.java(25) / "bin/java",
            "--enable-native-access=ALL-UNNAMED",
            "-Dorg.jline.terminal.dumb=true",  # no warning if its output is not a terminal
            "-cp",
            f"{lakehouse.parts.root}/trino-cli/*",
            "io.trino.cli.Trino",
            "--server",
            settings.topology.trino.url,
            "--user",
            "analyst",
            "--password",
            "--truststore-path",
            settings.trino_ca_file,
            "--timezone",
            "UTC",
            "--catalog",
            settings.pipeline.lake.catalog,
            "--schema",
            "marts",
            "--output-format",  # for a statement from --execute or from a pipe
            "ALIGNED",
        ],
        environment={"TRINO_PASSWORD": lakehouse.secrets.trino_analyst_password},
        directory=REPOSITORY,
        reads=(settings.trino_ca_file,),
    )


def describe(lakehouse: Lakehouse) -> Service:
    """Describe the coordinator, which is also the only worker."""
    address = lakehouse.settings.topology.trino
    home = lakehouse.parts.root / "trino"
    archive = find_archive(lakehouse, "trino", 25, "trino/lib")
    data = lakehouse.data / "trino"
    return Service(
        name="trino",
        command=[
            lakehouse.parts.java(25) / "bin/java",
            "@etc/jvm.config",
            f"-Xmx{address.heap_mb}m",
            *archive_options(archive),
            "-Dconfig=etc/config.properties",
            f"-Dnode.data-dir={data}",
            f"-Dnode.bind-ip={lakehouse.settings.topology.network.bind_host}",
            f"-Dplugin.dir={home}/plugin",
            "-cp",
            f"{home}/lib/*",
            "io.trino.server.TrinoServer",
        ],
        environment=trino_environment(lakehouse.settings, lakehouse.secrets),
        directory=REPOSITORY / "trino",
        after=("trino-identity", "tables"),
        folders=(data,),
        reads=trino_identity_files(lakehouse.settings),
        probe=TrinoProbe(
            address.url,
            "dashboard",
            lakehouse.secrets.trino_dashboard_password,
            str(lakehouse.settings.trino_ca_file),
        ),
        archive=archive,
        ready_seconds=300,  # 15 s on idle cores, minutes on busy ones
        ports=("trino.port",),
    )


def ensure_identity(lakehouse: Lakehouse) -> None:
    """Create Trino's certificate and password file, unless they are valid."""
    ensure_trino_identity(lakehouse.settings, lakehouse.secrets, datetime.now(UTC))


SETUP_STEPS = (SetupStep("trino-identity", ensure_identity),)
