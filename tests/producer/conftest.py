"""One run of the shop that all tests share: twenty minutes at about the day's average rate."""

from itertools import islice

import pytest

from configuration.settings import PIPELINE_FILE, Pipeline, read_section
from producer.plan import Plan
from producer.stream import generate_messages
from tests.support.sample_run import MESSAGE_COUNT, START_MS, SampleRun


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return read_section(Pipeline, PIPELINE_FILE)


@pytest.fixture(scope="session")
def plan(pipeline: Pipeline) -> Plan:
    return Plan.of(pipeline, start_ms=START_MS)


@pytest.fixture(scope="session")
def run(pipeline: Pipeline, plan: Plan) -> SampleRun:
    return SampleRun(pipeline, plan, list(islice(generate_messages(plan), MESSAGE_COUNT)))
