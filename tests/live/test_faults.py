"""Whatever dies: everything comes back by itself, and nothing is lost, doubled or wrong.

The simulated shop sells on while faults strike at random moments; the seed replays them:

    make test-faults FAULTS=100 SEED=...

The report tells of each fault how long it took until an event that occurred after it was visible,
and how old events were when they became so.
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

# `make test` strikes the same few each time; `make test-faults` many, other ones each time. Among
# those few is one of each sort: killed, frozen, cut off, a full disk, and both of Flink's processes
# between a checkpoint and its commit.
FAULTS = int(os.environ.get("FAULTS") or 10)
SEED = int(os.environ.get("SEED") or 232)
# Faults strike at any moment of the interval between two checkpoints.
LONGEST_PAUSE_SECONDS = 10
REPORT = REPOSITORY / "artifacts/faults.json"


@dataclass(frozen=True)
class Struck:
    """A fault that happened, and when."""

    fault: Fault
    at: float


@dataclass(frozen=True)
class Outcome:
    """What a fault did to whoever waits for answers; in seconds."""

    fault: str
    seconds_to_resume: float
    p99_freshness_seconds: float


@pytest.fixture
def patient(lakehouse: RunningLakehouse, lake: Lake) -> Iterator[Patient]:
    """The lakehouse while the simulated shop sends to it, and the schedule runs."""
    if not isinstance(lakehouse, ProxiedLakehouse):
        pytest.skip("faults strike processes of this machine")
    assert lake.flink.running_job()
    lakehouse.make("run", "PRODUCER=on")
    yield Patient(lakehouse)
    lakehouse.stop_service("producer")
    lakehouse.stop_service("housekeeping")


@pytest.mark.thorough
def test_nothing_is_lost_or_doubled_when_anything_dies_at_any_moment(
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
            say(f"  {number} {fault.name}: a checkpoint {time.time() - healed:.0f} s after it")
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
    """What each fault did to the events from it to the next one."""
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
    """For machines."""
    file.parent.mkdir(exist_ok=True)
    report = {"seed": SEED, "faults": [asdict(outcome) for outcome in outcomes]}
    file.write_text(json.dumps(report, indent=2))


def table_of(outcomes: list[Outcome]) -> Table:
    """For people."""
    table = Table("fault", "first event after it visible, s", "p99 freshness, s")
    for each in outcomes:
        table.add_row(
            each.fault, f"{each.seconds_to_resume:.1f}", f"{each.p99_freshness_seconds:.1f}"
        )
    return table
