"""Writes a benchmark's results page: machine, versions, medians and spread, a chart."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.stream.dataset import Score
from configuration import REPOSITORY

RESULTS = REPOSITORY / "benchmarks/results"
BASE = "attribution alone"


@dataclass(frozen=True)
class Result:
    """One run of one contender."""

    events_a_second: float
    events_a_cpu_second: float
    peak_mb: float
    score: Score | None

    def line(self) -> str:
        """The result as one line, shown in the terminal after each run."""
        return (
            f"{self.events_a_second:,.0f} events/s, {self.events_a_cpu_second:,.0f} events/CPU-s,"
            f" {self.peak_mb:,.0f} MB{'; ' + describe(self.score) if self.score else ''}"
        )


def describe(score: Score) -> str:
    """Say whether all answers are right, or how many are not."""
    if score.is_right:
        return f"all {score.rows:,} right"
    return f"{score.lost:,} lost, {score.doubled:,} doubled, {score.wrong:,} wrong"


def write_page(messages: int, results: Mapping[str, Sequence[Result]]) -> Path:
    """Write `stream.md`."""
    base = median(run.events_a_cpu_second for run in results[BASE]) if BASE in results else None
    rows = [row_of(name, runs, base) for name, runs in results.items()]
    names = ", ".join(f'"{name}"' for name in results)
    heights = ", ".join(
        f"{median(run.events_a_cpu_second for run in runs):.0f}" for runs in results.values()
    )
    text = f"""# Kafka to committed Iceberg tables

`make bench`, {messages:,} messages, {max(map(len, results.values()))} repetitions: median (lowest
to highest). {machine()}

| contender | events a second | events a CPU-second | {BASE} is | peak MB | answers |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

```mermaid
xychart-beta
    title "Events a CPU-second"
    x-axis [{names}]
    bar [{heights}]
```
"""
    RESULTS.mkdir(exist_ok=True)
    page = RESULTS / "stream.md"
    page.write_text(text)
    return page


def row_of(name: str, runs: Sequence[Result], base: float | None) -> str:
    """One line of the table."""
    cpu = [run.events_a_cpu_second for run in runs]
    ratio = f"{base / median(cpu):.2f} times" if base else ""
    score = runs[-1].score
    cells = [
        name,
        spread([run.events_a_second for run in runs]),
        spread(cpu),
        ratio,
        f"{median(run.peak_mb for run in runs):,.0f}",
        describe(score) if score else "none",
    ]
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> str:
    """Median, lowest and highest."""
    return f"{median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def machine() -> str:
    """Describe the commit, machine and versions."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Commit {commit}; {platform.system()} {platform.machine()}, {psutil.cpu_count()} cores,"
        f" {memory:.0f} GiB, Python {platform.python_version()};"
        " versions as in infra/install/locks."
    )
