"""When `make status` warns about change capture."""

import pytest

from infra.operations.status import describe_danger
from infra.services.connect import ConnectorState, Failures, SlotState

MB = 1_000_000
LIMIT_MB = 256
TWICE = Failures(2, "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:20+00:00", "no slot")


@pytest.mark.parametrize(
    ("connector", "failures", "slot", "missing", "words"),
    [
        ("running", None, SlotState(True, 0, LIMIT_MB * MB), [], []),
        (
            "running",
            None,
            SlotState(True, 0, LIMIT_MB * MB + 1),
            [],
            ["grows", "256 MB", "runbook"],
        ),
        ("running", None, SlotState(False, 0, LIMIT_MB * MB + 1), [], ["grows"]),
        ("not answering", None, SlotState(False, 0, 16 * MB), [], ["nobody reads"]),
        ("running", None, None, [], []),
        ("failed", None, SlotState(True, 0, 0), [], ["failed", "no such table", "make logs"]),
        (
            "failing",
            TWICE,
            SlotState(True, 0, 0),
            [],
            ["2 times since 2026", "no slot", "make logs"],
        ),
        ("running", None, SlotState(True, 0, 0), ["users.country"], ["no column users.country"]),
    ],
)
def test_status_warns_exactly_when_change_capture_is_in_danger(
    connector: str,
    failures: Failures | None,
    slot: SlotState | None,
    missing: list[str],
    words: list[str],
) -> None:
    reason = "no such table" if connector == "failed" else ""
    state = ConnectorState(connector, reason)
    warning = describe_danger(state, failures, slot, LIMIT_MB, missing)
    assert bool(warning) == bool(words)
    assert [word for word in words if word not in warning] == []
