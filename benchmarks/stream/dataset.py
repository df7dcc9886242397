"""The messages that every contender reads, and the answers that are right.

The messages are a few hours of the simulated shop. As its settings say, some are out of order,
duplicated or malformed. None is late, so that the right answers do not depend on the order in which
partitions are read.
"""

import subprocess
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from configuration import REPOSITORY
from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import Settings
from reference import oracle
from reference.kafka import Kafka
from reference.oracle import Valid

SEED = 11
RATE = 100  # events a second of event time
START = "2026-01-05T08:00:00Z"


class Answer(NamedTuple):
    """What every contender must find: which click earned a checkout, and its amounts."""

    checkout_id: str
    click_id: str | None
    total_usd: Decimal
    profit_usd: Decimal


Expected = Counter[Answer]


def start_ms() -> int:
    """Event time of the first message."""
    return int(datetime.fromisoformat(START).timestamp() * 1000)


def open_kafka(settings: Settings) -> Kafka:
    """A Kafka client that may do everything."""
    return Kafka(kafka_client(settings, load_secrets(settings), "admin"))


def fill(settings: Settings, environment: dict[str, str], messages: int) -> None:
    """Send the messages, unless the topics already have them."""
    kafka = open_kafka(settings)
    topics = settings.pipeline.topics
    have = sum(kafka.ends([topics.clickstream, topics.checkouts]).values())
    assert have in (0, messages), f"the topics hold {have} messages; remove {settings.state}"
    if have == 0:
        subprocess.run(
            [
                *(sys.executable, "-m", "producer", "--no-shop", "--speed", "max"),
                *("--count", str(messages), "--seed", str(SEED), "--rate", str(RATE)),
                *("--start", START),
            ],
            cwd=REPOSITORY,
            env=environment,
            check=True,
        )


def expect(settings: Settings) -> Expected:
    """The oracle's answers for the messages in the topics."""
    pipeline = settings.pipeline
    topics = pipeline.topics
    kafka = open_kafka(settings)
    verdicts = (
        oracle.judge(message, topics, pipeline.contract)
        for message in kafka.read_all([topics.clickstream, topics.checkouts])
    )
    valid = [verdict for verdict in verdicts if isinstance(verdict, Valid)]
    return Counter(
        Answer(
            row.checkout_id,
            row.click.click_id if row.click else None,
            row.total_usd,
            row.profit_usd,
        )
        for row in oracle.attribute(valid, set(), topics, pipeline.attribution)
    )


class Score(NamedTuple):
    """How many of a contender's checkouts are right."""

    rows: int
    lost: int
    doubled: int
    wrong: int

    @property
    def is_right(self) -> bool:
        """Whether every checkout has the right answer, exactly once."""
        return not (self.lost or self.doubled or self.wrong)


def score(expected: Expected, rows: list[list[Any]]) -> Score:
    """Lost: a checkout has no row. Doubled: it has too many rows. Wrong: its answer is wrong."""
    answers = Counter(Answer(*row) for row in rows)
    due = Counter(answer.checkout_id for answer in expected.elements())
    held = Counter(answer.checkout_id for answer in answers.elements())
    right = Counter(answer.checkout_id for answer in (answers & expected).elements())
    return Score(
        rows=len(rows),
        lost=(due - held).total(),
        doubled=(held - due).total(),
        wrong=sum(min(due[checkout], held[checkout]) - right[checkout] for checkout in due),
    )
