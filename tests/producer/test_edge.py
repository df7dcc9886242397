"""The producer's edge: pace, counts, and error messages for a user's mistakes."""

import math
import socket
import sys

import pytest

from producer.__main__ import main
from producer.kafka_sink import KafkaSink, KafkaSinkError
from producer.pacing import Pace, Periodic
from producer.summary import Summary
from tests.support.sample_run import SampleRun

NOW = 1_000_000.0
HOUR = 3_600.0


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("reason", "start", "speed", "sent_at", "expected"),
    [
        ("live: due when it occurs", NOW, 1, NOW + 5, 5),
        ("history at speed 1 stays as far behind", NOW - HOUR, 1, NOW - HOUR + 5, 5),
        ("history sixty times as fast", NOW - HOUR, 60, NOW - HOUR / 2, 30),
        ("history at full speed is due at once", NOW - HOUR, math.inf, NOW - 1, 0),
        ("never ahead of the clock, however fast", NOW - HOUR, math.inf, NOW + 7, 7),
        ("never ahead of the clock, sixty times as fast", NOW, 60, NOW + 6, 6),
        ("slow motion", NOW, 0.5, NOW + 5, 10),
    ],
)
def test_pace_gives_the_seconds_until_a_message_is_due(
    reason: str, start: float, speed: float, sent_at: float, expected: float
) -> None:
    pace = Pace(int(start * 1000), speed, HandClock())
    assert pace.wait_seconds(int(sent_at * 1000)) == pytest.approx(expected), reason


def test_messages_are_due_at_once_when_the_clock_jumped_ahead() -> None:
    clock = HandClock()
    pace = Pace(int(NOW * 1000), 1, clock)
    clock.now += HOUR
    assert pace.wait_seconds(int((NOW + 60) * 1000)) == 60 - HOUR


def test_periodic_action_runs_once_per_interval() -> None:
    clock = HandClock()
    runs: list[float] = []
    periodic = Periodic(10, clock, lambda: runs.append(clock.now - NOW))
    for _ in range(35):
        periodic.run_if_due()
        clock.now += 1
    assert runs == [10, 20, 30]


def test_summary_counts_add_up(run: SampleRun) -> None:
    summary = Summary(run.plan)
    for message in run.messages:
        summary.count(message)
    counts = summary.as_object({"_MSG_TIMED_OUT": 2})
    topics = counts["topics"]
    assert counts["messages"] == len(run.messages)
    assert counts["messages"] == sum(topic["messages"] for topic in topics.values())
    assert counts["delivery_errors"] == {"_MSG_TIMED_OUT": 2}
    for name, topic in topics.items():
        malformed = sum(topic["malformed"].values())
        assert topic["messages"] == topic["valid_distinct"] + topic["duplicates"] + malformed
        id_field = "event_id" if name == run.plan.clickstream_topic else "checkout_id"
        ids = {body[id_field] for body in run.bodies(name)}
        assert topic["valid_distinct"] == len(ids) == len(run.bodies(name))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "-5"], ["--rate", "-5"]),
        (["--count", "0"], ["--count", "0"]),
        (["--speed", "fast"], ["--speed", "'fast'", "max"]),
        (["--speed", "nan"], ["--speed", "'nan'"]),
        (["--start", "yesterday"], ["--start", "'yesterday'", "ISO 8601"]),
        (["--start", "2150-01-01"], ["--start", "not in the future"]),
        (["--start", "1999-12-31T23:00:00Z"], ["--start", "2000"]),
        (["--quantity", "3"], ["--quantity"]),
    ],
)
def test_wrong_option_gives_a_one_line_error(
    arguments: list[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["producer", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    output = capsys.readouterr()
    assert stopped.value.code == 2
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert all(word in output.err for word in words)


def test_error_names_kafka_when_it_does_not_answer() -> None:
    # Bound but not listening: the port refuses connections, and no other program can take it.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(KafkaSinkError, match=rf"{authority}.*make run"):
            KafkaSink({"bootstrap.servers": authority}, ["clickstream"], connect_seconds=0.3)
