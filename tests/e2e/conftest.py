"""One lakehouse for all end-to-end tests, and the traffic that most of them look at."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.parts import Parts
from infra.progress import Reporter
from infra.secrets import load_secrets
from infra.services import Lakehouse as InfraLakehouse
from infra.settings import REPOSITORY
from tests.e2e.lake import Lake
from tests.e2e.traffic import SECOND_MS, Traffic
from tests.lakehouses import Lakehouse
from tests.oracle import Position

SEED = 1
RANDOM_USERS = 1500
PRODUCED_MESSAGES = 15_000
HOUR_MS = 3600 * SECOND_MS
# Event time only goes forward: crafted traffic is dated before the producer's, which is dated
# in the last hour, for the dashboard.
ORDER = [
    *("first_command", "pipeline", "restart", "producer", "serving", "dashboard", "exposure"),
    *("access", "changes", "restatement", "models", "recovery", "faults", "smoke"),
    *("audit", "housekeeping"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the modules in the order of event time."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem.removeprefix("test_")
        is_here = item.path.parent == Path(__file__).parent
        return ORDER.index(name) if is_here else -1

    items.sort(key=place)


@dataclass(frozen=True)
class Run:
    """A run of the producer: what it says of itself, the truth, and where its messages are."""

    summary: dict[str, Any]
    truth: Path
    begin: dict[tuple[str, int], int]
    end: dict[tuple[str, int], int]

    def __contains__(self, position: Position) -> bool:
        """Whether the message was sent during the run."""
        topic, partition, offset = position
        return self.begin[topic, partition] <= offset < self.end[topic, partition]


@pytest.fixture(scope="session")
def lake(lakehouse: Lakehouse) -> Lake:
    """The lakehouse under test; its event time begins early enough for all that is to come."""
    return Lake(lakehouse, zero_ms=int(time.time()) * SECOND_MS - 12 * HOUR_MS)


@pytest.fixture(scope="session")
def crafted(lake: Lake) -> Lake:
    """The lake after adversarial traffic."""
    lake.send(Traffic(lake.meanings, SEED, lake.now_ms).messages(RANDOM_USERS))
    return lake


@pytest.fixture(scope="session")
def produced(crafted: Lake, lakehouse: Lakehouse, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the producer over the last hour's event time, as fast as it can."""
    folder = tmp_path_factory.mktemp("producer")
    summary_file, truth_file = folder / "summary.json", folder / "truth.jsonl"
    start_ms = int(time.time()) * SECOND_MS - 50 * 60 * SECOND_MS
    assert crafted.now_ms < start_ms, "the crafted traffic must be over before"
    crafted.wake()
    begin = crafted.count()
    subprocess.run(
        [
            *(sys.executable, "-m", "producer"),
            *("--count", str(PRODUCED_MESSAGES), "--seed", str(SEED), "--rate", "50"),
            *(
                "--start",
                time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_ms / SECOND_MS)),
            ),
            *("--speed", "max", "--summary", str(summary_file), "--truth", str(truth_file)),
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "TRIBUTARY_SETTINGS": str(lakehouse.settings.meanings_file),
            "TRIBUTARY_TOPOLOGY": str(lakehouse.settings.topology_file),
        },
        check=True,
        timeout=300,
    )
    end = crafted.count()
    crafted.close()
    return Run(json.loads(summary_file.read_text()), truth_file, begin, end)


@pytest.fixture(scope="session")
def own(lakehouse: Lakehouse) -> InfraLakehouse:
    """The lakehouse as our own steps know it."""
    settings = lakehouse.settings
    return InfraLakehouse(settings, load_secrets(settings), Parts(settings.parts, Reporter()))
