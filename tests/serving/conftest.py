"""Fixtures of the serving tests: settings without a lakehouse, and the manifest of dbt."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from configuration import REPOSITORY
from configuration.environment import dbt_environment
from configuration.secrets import Secrets
from configuration.settings import Paths, Settings, load_settings

PARSE_SECONDS = 600


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return Secrets(**{name: f"not-{name}" for name in Secrets.model_fields})


@pytest.fixture(scope="session")
def manifest(
    settings: Settings, secrets: Secrets, dbt: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The manifest that `dbt parse` makes of the project. Needs dbt, but no Trino."""
    target = tmp_path_factory.mktemp("dbt")
    environment = {
        **os.environ,
        **dbt_environment(settings, secrets),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
    }
    done = subprocess.run(
        [dbt, "--warn-error", "parse"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PARSE_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    loaded: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return loaded


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """The same lakehouse with its own state folder."""
    return at(settings, tmp_path)


def at(settings: Settings, state: Path, **of_trino: Any) -> Settings:
    """The same lakehouse with its own state folder and other values for Trino's address."""
    topology = settings.topology.model_copy(
        update={
            "paths": Paths.model_construct(state=state, parts=state / "parts"),
            "trino": settings.topology.trino.model_copy(update=of_trino),
        }
    )
    return settings.model_copy(update={"topology": topology})
