"""A test's own lakehouse, of which at most single services run."""

from pathlib import Path

import pytest

from configuration.secrets import ensure_secrets
from configuration.settings import Settings, load_settings
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.services.model import Lakehouse
from infra.topologies.scratch import write_scratch_topology


def make_scratch_settings(folder: Path) -> Settings:
    """Settings with free ports, and a state folder in `folder`."""
    topology = folder / "topology.toml"
    write_scratch_topology(topology, str(folder / "state"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIBUTARY_TOPOLOGY", str(topology))
        return load_settings()


def describe_scratch(folder: Path, parts: Parts | None = None) -> Lakehouse:
    """A scratch lakehouse with these parts; by default with this checkout's parts."""
    settings = make_scratch_settings(folder)
    parts = parts or Parts(settings.parts, Reporter())
    return Lakehouse(settings, ensure_secrets(settings), parts)
