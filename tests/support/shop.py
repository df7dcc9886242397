"""Runs the simulated shop at some time of history, as fast as possible."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configuration import REPOSITORY
from reference.oracle import Position
from tests.support.lake import Lake, Snapshot
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import SECOND_MS

RATE = 50
RUN_SECONDS = 300


@dataclass(frozen=True)
class ShopRun:
    """The producer's summary, its truth file, and its messages' offsets in each partition."""

    summary: dict[str, Any]
    truth: Path
    begin: dict[tuple[str, int], int]
    end: dict[tuple[str, int], int]

    def __contains__(self, position: Position) -> bool:
        """Whether the message was sent during the run."""
        topic, partition, offset = position
        return self.begin[topic, partition] <= offset < self.end[topic, partition]


@dataclass(frozen=True)
class Shop:
    """Crafted traffic and a run of the shop, both hours ago, and a run within the last hour.

    `snapshot` is what the lake held when the marts were built from all of it.
    """

    lake: Lake
    earlier: ShopRun
    last_hour: ShopRun
    snapshot: Snapshot


def run_shop(
    lakehouse: RunningLakehouse, lake: Lake, seed: int, messages: int, folder: Path
) -> ShopRun:
    """Run the shop from the current event time on, and wait until everything is answered.

    Another seed gives other ids.
    """
    summary, truth = folder / "summary.json", folder / "truth.jsonl"
    lake.wake()
    begin = lake.ends()
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(lake.now_ms // SECOND_MS + 1))
    subprocess.run(
        [
            *(sys.executable, "-m", "producer", "--speed", "max", "--start", start),
            *("--count", str(messages), "--seed", str(seed), "--rate", str(RATE)),
            *("--summary", str(summary), "--truth", str(truth)),
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "TRIBUTARY_SETTINGS": str(lakehouse.settings.pipeline_file),
            "TRIBUTARY_TOPOLOGY": str(lakehouse.settings.topology_file),
        },
        check=True,
        timeout=RUN_SECONDS,
    )
    end = lake.ends()
    lake.close()
    return ShopRun(json.loads(summary.read_text()), truth, begin, end)
