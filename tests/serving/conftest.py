"""What the serving tests share: settings without a lakehouse, and dbt's own view of the project."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.environment import dbt_environment
from infra.secrets import Secrets
from infra.settings import REPOSITORY, Settings, load_settings

PARSE_SECONDS = 600


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return Secrets(**{name: f"not-{name}" for name in Secrets.model_fields})


@pytest.fixture(scope="session")
def manifest(
    settings: Settings, secrets: Secrets, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What `dbt parse` makes of the project; needs dbt, no Trino."""
    target = tmp_path_factory.mktemp("dbt")
    _run(["infra/bootstrap.sh", str(settings.parts), "dbt"], dict(os.environ))
    environment = {
        **os.environ,
        **dbt_environment(settings, secrets),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
    }
    dbt = settings.environment_python("dbt").with_name("dbt")
    _run([str(dbt), "--warn-error", "parse"], environment)
    loaded: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return loaded


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PARSE_SECONDS,
    )
    assert done.returncode == 0, f"{Path(command[0]).name}:\n{done.stdout}\n{done.stderr}"
