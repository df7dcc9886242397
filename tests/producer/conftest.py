"""One run of the shop that all tests look at: twenty minutes around the day's mean rate."""

import json
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest

from infra.settings import MEANINGS_FILE, Meanings, read_section
from producer.messages import Fate, Message
from producer.plan import Plan
from producer.stream import generate_messages

# 2026-03-10 13:50 UTC: the rate is that of the day's mean ten minutes later.
START_MS = 1_773_150_600_000
MESSAGE_COUNT = 24_000


@dataclass(frozen=True)
class SampleRun:
    """A plan and its first messages."""

    meanings: Meanings
    plan: Plan
    messages: list[Message]

    def bodies(self, topic: str, *fates: Fate) -> list[dict[str, Any]]:
        """The topic's bodies of those fates; of all valid distinct messages by default."""
        wanted = fates or (Fate.IN_ORDER, Fate.OUT_OF_ORDER, Fate.LATE)
        return [
            json.loads(message.value)
            for message in self.messages
            if message.topic == topic and message.fate in wanted
        ]


@pytest.fixture(scope="session")
def meanings() -> Meanings:
    return read_section(Meanings, MEANINGS_FILE)


@pytest.fixture(scope="session")
def plan(meanings: Meanings) -> Plan:
    return Plan.of(meanings, start_ms=START_MS)


@pytest.fixture(scope="session")
def run(meanings: Meanings, plan: Plan) -> SampleRun:
    return SampleRun(meanings, plan, list(islice(generate_messages(plan), MESSAGE_COUNT)))
