"""One run of the shop that all tests look at: twenty minutes around the day's mean rate."""

from itertools import islice

import pytest

from infra.settings import MEANINGS_FILE, Meanings, read_section
from producer.plan import Plan
from producer.stream import generate_messages
from tests.support.sample_run import MESSAGE_COUNT, START_MS, SampleRun


@pytest.fixture(scope="session")
def meanings() -> Meanings:
    return read_section(Meanings, MEANINGS_FILE)


@pytest.fixture(scope="session")
def plan(meanings: Meanings) -> Plan:
    return Plan.of(meanings, start_ms=START_MS)


@pytest.fixture(scope="session")
def run(meanings: Meanings, plan: Plan) -> SampleRun:
    return SampleRun(meanings, plan, list(islice(generate_messages(plan), MESSAGE_COUNT)))
