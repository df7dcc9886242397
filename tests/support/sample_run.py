"""A run of the shop: its plan and its first messages."""

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import Any

from configuration.settings import PIPELINE_FILE, Pipeline, read_section
from producer.messages import Fate, Message
from producer.plan import Plan
from producer.stream import generate_messages

# 2026-03-10 13:50 UTC: ten minutes later the rate equals the day's average.
START_MS = 1_773_150_600_000
MESSAGE_COUNT = 24_000


@dataclass(frozen=True)
class SampleRun:
    """A plan and its first messages."""

    pipeline: Pipeline
    plan: Plan
    messages: list[Message]

    def bodies(self, topic: str, *fates: Fate) -> list[dict[str, Any]]:
        """The topic's bodies with those fates; by default those of all valid distinct messages."""
        wanted = fates or (Fate.IN_ORDER, Fate.OUT_OF_ORDER, Fate.LATE)
        return [
            json.loads(message.value)
            for message in self.messages
            if message.topic == topic and message.fate in wanted
        ]


def digest_of_settings_plan() -> str:
    """Digest of the first 2,000 messages that the settings' seed gives."""
    plan = Plan.of(read_section(Pipeline, PIPELINE_FILE), start_ms=START_MS)
    digest = hashlib.sha256()
    for message in islice(generate_messages(plan), 2_000):
        digest.update(repr(message).encode())
    return digest.hexdigest()
