"""The whole job compared with the oracle, on thousands of random users; each user is a case.

Every run draws other users. A failure prints the variables that replay one user alone:

    make test TESTS=tests/flink/test_properties.py SEED=... USER_ID=...
"""

import dataclasses
import os
import random
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from configuration import REPOSITORY
from configuration.secrets import load_secrets
from configuration.settings import Settings, load_settings
from flink_jobs.lake_tables import ensure_tables, open_catalog
from infra.install.parts import Parts
from infra.services.flink import flink_process_environment
from infra.services.kafka import ensure_topics
from infra.services.kafka_access import ensure_users
from infra.services.model import Lakehouse
from infra.topologies.scratch import write_changed_settings
from reference import oracle
from reference.oracle import AttributedCheckout, Position, Valid
from tests.support.lake import attributed_row
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import MOST_USERS, SECOND_MS, Traffic, page_views

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1_000_000))
ONLY_USER = int(os.environ["USER_ID"]) if os.environ.get("USER_ID") else None
REPLAY_SECONDS = 600


class Case(NamedTuple):
    """The job's settings, and the number of users and messages.

    One partition has `tail` messages more than the others. So its reader ends seconds after theirs,
    and checkpoints would happen in between.
    """

    lookback_seconds: int
    parallelism: int
    state_backend: str
    users: int
    tail: int


CASES = [
    Case(600, 2, "rocksdb", users=300, tail=20_000),
    pytest.param(Case(3600, 1, "hashmap", users=2_000, tail=80_000), marks=pytest.mark.thorough),
    pytest.param(Case(600, 2, "rocksdb", users=2_000, tail=80_000), marks=pytest.mark.thorough),
]


@dataclasses.dataclass(frozen=True)
class Replayed:
    """A bounded run with its own topics and tables: its messages and the rows it wrote."""

    settings: Settings
    valid: list[Valid]
    late: set[Position]
    rows: Counter[AttributedCheckout]

    def expected(self) -> Counter[AttributedCheckout]:
        """The oracle's rows, given the same late messages."""
        pipeline = self.settings.pipeline
        return Counter(
            oracle.attribute(self.valid, self.late, pipeline.topics, pipeline.attribution)
        )


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def replayed(
    request: pytest.FixtureRequest,
    stores: RunningLakehouse,
    parts: Parts,
    tmp_path_factory: pytest.TempPathFactory,
) -> Replayed:
    """Replay the journeys of random users."""
    case: Case = request.param
    settings = settings_of(stores.settings, case, tmp_path_factory.mktemp("case"))
    pipeline = settings.pipeline
    kafka = stores.kafka()
    lakehouse = Lakehouse(settings, load_secrets(settings), parts)
    ensure_users(lakehouse)
    ensure_topics(lakehouse)
    now_ms = int(time.time()) * SECOND_MS
    traffic = Traffic(pipeline, SEED, now_ms - 4 * 3600 * SECOND_MS, SEED * MOST_USERS)
    kafka.send(traffic.clocked_journeys(case.users, ONLY_USER))
    kafka.send(page_views(pipeline, now_ms, case.tail))
    ensure_tables(open_catalog(settings, load_secrets(settings)))
    run_replay(lakehouse)
    verdicts = [
        oracle.judge(message, pipeline.topics, pipeline.contract)
        for message in kafka.read_all([pipeline.topics.clickstream, pipeline.topics.checkouts])
    ]
    valid = [verdict for verdict in verdicts if isinstance(verdict, Valid)]
    return Replayed(settings, valid, read_late(settings), read_rows(settings))


def test_replay_writes_every_message_as_one_row(replayed: Replayed) -> None:
    assert read_positions(replayed.settings) == Counter(each.position for each in replayed.valid)


def test_answers_for_random_users_equal_the_oracles(replayed: Replayed) -> None:
    expected = replayed.expected()
    wrong = sorted({row.user_id for row in (replayed.rows - expected) + (expected - replayed.rows)})
    replay_of = {user: f"SEED={SEED} USER_ID={user}" for user in wrong}
    differences = [
        f"{replay_of[user]}: {rows(replayed.rows, user)} should be {rows(expected, user)}"
        for user in wrong[:3]
    ]
    assert differences == [], f"{len(wrong)} users have wrong answers"


def test_random_users_cover_every_case(replayed: Replayed) -> None:
    if ONLY_USER is not None:
        pytest.skip("one user does not cover every case")
    answers = replayed.rows
    assert replayed.late
    assert any(row.click is None and row.touchpoints for row in answers)
    assert any(row.click is not None and row.click != row.touchpoints[0] for row in answers)
    lookback_ms = replayed.settings.pipeline.attribution.lookback_seconds * SECOND_MS
    distances = {
        row.checked_out_at_ms - touchpoint.clicked_at_ms
        for row in answers
        for touchpoint in row.touchpoints
    }
    assert {0, 1, lookback_ms - 1, lookback_ms} <= distances
    assert not any(distance > lookback_ms or distance < 0 for distance in distances)


def rows(answers: Counter[AttributedCheckout], user_id: int) -> list[AttributedCheckout]:
    """One user's answers, in order of time."""
    mine = [row for row in answers.elements() if row.user_id == user_id]
    return sorted(mine, key=lambda row: (row.checked_out_at_ms, row.checkout_id))


def settings_of(settings: Settings, case: Case, folder: Path) -> Settings:
    """The lakehouse's settings, but with the case's own rules, topics and catalog."""
    name = uuid.uuid4().hex[:12]
    changes = {
        "clickstream": f'"clickstream-{name}"',
        "checkouts": f'"checkouts-{name}"',
        "catalog": f'"replay-{name}"',
        "lookback_seconds": str(case.lookback_seconds),
        "parallelism": str(case.parallelism),
        "state_backend": f'"{case.state_backend}"',
        "checkpoint_interval_seconds": "1",
    }
    file = folder / "tributary.toml"
    write_changed_settings(file, changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIBUTARY_SETTINGS", str(file))
        patch.setenv("TRIBUTARY_TOPOLOGY", str(settings.topology_file))
        return load_settings()


def run_replay(lakehouse: Lakehouse) -> None:
    """Run the job to its end, in its own process."""
    settings, parts = lakehouse.settings, lakehouse.parts
    done = subprocess.run(
        [
            parts.virtualenv("flink") / "bin/python",
            Path(__file__).with_name("replay_driver.py"),
            parts.attribution_jar,
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            **flink_process_environment(lakehouse),
            "TRIBUTARY_SETTINGS": str(settings.pipeline_file),
            "TRIBUTARY_TOPOLOGY": str(settings.topology_file),
            "PYTHONPATH": str(REPOSITORY),
            "JVM_ARGS": "-Xmx1g -XX:+UseSerialGC",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=REPLAY_SECONDS,
    )
    assert done.returncode == 0, done.stderr


def read_late(settings: Settings) -> set[Position]:
    """Positions of the messages that the job flagged late."""
    return set(read_positions(settings, "is_late = true"))


def read_positions(settings: Settings, wanted: str = "true") -> Counter[Position]:
    """How often each message is in the raw tables."""
    catalog = open_catalog(settings, load_secrets(settings))
    topics = settings.pipeline.topics
    return Counter(
        Position(topic, row["kafka_partition"], row["kafka_offset"])
        for topic, table in ((topics.clickstream, "clickstream"), (topics.checkouts, "checkouts"))
        for row in catalog.load_table(f"raw.{table}")
        .scan(wanted, ("kafka_partition", "kafka_offset"))
        .to_arrow()
        .to_pylist()
    )


def read_rows(settings: Settings) -> Counter[AttributedCheckout]:
    """The attributed rows."""
    catalog = open_catalog(settings, load_secrets(settings))
    table = catalog.load_table("attribution.attributed_checkouts").scan().to_arrow()
    return Counter(attributed_row(columns_of(row)) for row in table.to_pylist())


def columns_of(row: Mapping[str, Any]) -> list[Any]:
    """A row's columns in the order that `attributed_row` expects."""
    plain = list(AttributedCheckout._fields[:9])
    click = ("click_id", "product_id", "click_source", "click_campaign", "clicked_at")
    touchpoints = [tuple(touchpoint.values()) for touchpoint in row["touchpoints"]]
    return [
        *(row[name] for name in plain),
        row["checked_out_at"],
        touchpoints,
        row["touchpoint_count"],
        *(row[name] for name in click),
        row["other_attempt_at"],
    ]
