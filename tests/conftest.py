"""A lakehouse of the tests' own: its state folder, its ports; whatever else runs is left alone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.environment import user_environment
from infra.scratch import write_scratch_topology
from infra.secrets import load_secrets
from infra.settings import REPOSITORY, Settings, load_settings

STATE = REPOSITORY / ".lakehouse-tests"
# A cold start fetches and builds everything first.
MAKE_SECONDS = 1800


@dataclass
class OwnLakehouse:
    """One lakehouse under test, driven by the same `make` targets as any other."""

    topology_file: Path
    settings: Settings = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run targets in this lakehouse; where one fails, its output is the test's."""
        result = subprocess.run(
            ["make", *arguments],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "TRIBUTARY_TOPOLOGY": str(self.topology_file),
                "PRODUCER": "off",
                "MAKEFLAGS": "",
            },
            capture_output=True,
            text=True,
            timeout=MAKE_SECONDS,
            check=False,
        )
        said = f"make {' '.join(arguments)}:\n{result.stdout}\n{result.stderr}"
        assert result.returncode == 0, said
        return result


@pytest.fixture(scope="session")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnLakehouse]:
    """`make run` on free ports, without a producer; stopped and removed at the end."""
    topology_file = tmp_path_factory.mktemp("topology") / "tests.toml"
    write_scratch_topology(topology_file, STATE.name)
    own = OwnLakehouse(topology_file)
    _remove(own)
    try:
        own.make("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRIBUTARY_TOPOLOGY", str(topology_file))
            own.settings = load_settings()
        own.environment = user_environment(own.settings, load_secrets(own.settings))
        yield own
    finally:
        _keep_logs()
        _remove(own)


def _remove(own: OwnLakehouse) -> None:
    if STATE.exists():
        own.make("stop")
        shutil.rmtree(STATE)


def _keep_logs() -> None:
    """What the services said, for whoever looks into a failure."""
    artifacts = REPOSITORY / "artifacts/logs"
    shutil.rmtree(artifacts, ignore_errors=True)
    if (STATE / "logs").exists():
        shutil.copytree(STATE / "logs", artifacts)
