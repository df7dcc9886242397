"""Fixtures of the serving tests: settings without a lakehouse, and the manifest of dbt."""

from pathlib import Path
from typing import Any

import pytest

from configuration.secrets import Secrets
from configuration.settings import Paths, Settings, load_settings
from infra.operations.reference import read_manifest


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return Secrets(**{name: f"not-{name}" for name in Secrets.model_fields})


@pytest.fixture(scope="session")
def manifest(settings: Settings, dbt: Path) -> dict[str, Any]:
    """The manifest that `dbt parse` makes of the project. Needs dbt, but no Trino."""
    assert dbt.exists()
    return read_manifest(settings)


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
