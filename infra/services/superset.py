"""Superset, and the setup step that imports its dashboards."""

import os

from configuration import REPOSITORY
from configuration.environment import superset_environment
from infra.install.commands import run_quietly
from infra.services.model import Lakehouse, Service, SetupStep
from infra.services.probes import HttpProbe


def describe(lakehouse: Lakehouse) -> Service:
    """Describe Superset's web server."""
    address = lakehouse.settings.topology.superset
    python = lakehouse.settings.virtualenv_python("superset")
    return Service(
        name="superset",
        command=[
            python.with_name("gunicorn"),
            "--bind",
            lakehouse.bind(address.port),
            "--workers",
            "1",
            "--threads",
            "8",
            "--timeout",
            "120",
            "--no-control-socket",
            "superset.app:create_app()",
        ],
        environment=superset_environment(lakehouse.settings, lakehouse.secrets),
        reads=(lakehouse.settings.trino_ca_file,),
        probe=HttpProbe(f"{address.url}/login/"),
        ports=("superset.port",),
        after=("dashboards",),
    )


def import_dashboards(lakehouse: Lakehouse) -> None:
    """Set up Superset's database, roles and users, and import superset/assets."""
    settings = lakehouse.settings
    run_quietly(
        [str(settings.virtualenv_python("superset")), "superset/provision.py"],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, **superset_environment(settings, lakehouse.secrets)},
    )


SETUP_STEPS = (SetupStep("dashboards", import_dashboards, ("databases", "marts")),)
