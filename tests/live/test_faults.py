"""Random faults: everything recovers by itself, and nothing is lost, doubled or wrong.

The simulated shop keeps selling while faults strike at random moments. The seed replays them:

    make test-faults FAULTS=100 SEED=...

For each fault, the report says how long it took until an event that occurred after it was visible,
and how old events were when they became visible.
"""

import json
import math
import os
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from configuration import REPOSITORY
from tests.support.audits import make_audit
from tests.support.faults import RESUME_SECONDS, Fault, Patient, plan_faults
from tests.support.lake import Lake
from tests.support.lakehouses import ProxiedLakehouse, RunningLakehouse
from tests.support.visibility import Seen, read_visibility

# By default the same few faults strike each time; with `make test-faults` many, and others each
# time. The few include one of each sort: a kill, a freeze, a cut connection, a full disk, and kills
# of both Flink processes between a checkpoint and its commit.
FAULTS = int(os.environ.get("FAULTS") or 6)
SEED = int(os.environ.get("SEED") or 3880)
# The random pause before a fault, so that faults strike at any moment between two checkpoints.
LONGEST_PAUSE_SECONDS = 10
REPORT = REPOSITORY / "artifacts/faults.json"


@dataclass(frozen=True)
class Struck:
    """A fault that happened, and when."""

    fault: Fault
    at: float


@dataclass(frozen=True)
class Outcome:
    """How a fault delayed events."""

    fault: str
    seconds_to_resume: float
    p99_freshness_seconds: float


@pytest.fixture
def patient(lakehouse: RunningLakehouse, lake: Lake) -> Iterator[Patient]:
    """The lakehouse, with the simulated shop and housekeeping running."""
    if not isinstance(lakehouse, ProxiedLakehouse):
        pytest.skip("faults need a native lakehouse with proxies")
    assert lake.flink.running_job()
    lakehouse.make("run", "PRODUCER=on")
    yield Patient(lakehouse)
    lakehouse.stop_service("producer")
    lakehouse.stop_service("housekeeping")


@pytest.mark.thorough
def test_nothing_is_lost_or_doubled_by_random_faults(
    lakehouse: RunningLakehouse, patient: Patient, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(SEED)
    struck = []
    with capsys.disabled():
        say = Console().print
        say(f"\n{FAULTS} faults; SEED={SEED} replays them")
        for number, fault in enumerate(plan_faults(SEED, FAULTS), start=1):
            time.sleep(rng.uniform(0, LONGEST_PAUSE_SECONDS))
            struck.append(Struck(fault, time.time()))
            fault.strike(patient)
            healed = time.time()
            patient.wait_until_resumed(healed)
            say(f"  {number} {fault.name}: checkpoint {time.time() - healed:.0f} s after its end")
    lakehouse.stop_service("producer")
    lake.close()
    outcomes = weigh(struck, read_visibility(lakehouse.settings, struck[0].at))
    with capsys.disabled():
        write_report(outcomes, REPORT)
        Console().print(table_of(outcomes))
    lake.read().check()
    assert make_audit(lakehouse)["holds"] is True
    assert all(outcome.seconds_to_resume < RESUME_SECONDS for outcome in outcomes)


def weigh(struck: list[Struck], seen: list[Seen]) -> list[Outcome]:
    """The outcome of each fault, from the events between it and the next one."""
    ends = [each.at for each in struck[1:]] + [math.inf]
    outcomes = []
    for each, end in zip(struck, ends, strict=True):
        after = [event for event in seen if each.at <= event.occurred_at < end]
        ages = sorted(event.age_seconds for event in after)
        resumed_at = min(event.visible_at for event in after)
        p99 = ages[math.ceil(0.99 * len(ages)) - 1]
        outcomes.append(Outcome(each.fault.name, resumed_at - each.at, p99))
    return outcomes


def write_report(outcomes: list[Outcome], file: Path) -> None:
    """Write the report as JSON."""
    file.parent.mkdir(exist_ok=True)
    report = {"seed": SEED, "faults": [asdict(outcome) for outcome in outcomes]}
    file.write_text(json.dumps(report, indent=2))


def table_of(outcomes: list[Outcome]) -> Table:
    """The report as a table for the terminal."""
    table = Table("fault", "first event after it visible, s", "p99 freshness, s")
    for each in outcomes:
        table.add_row(
            each.fault, f"{each.seconds_to_resume:.1f}", f"{each.p99_freshness_seconds:.1f}"
        )
    return table
