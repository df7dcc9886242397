"""When `make status` warns about change capture."""

import pytest

from infra.operations.status import describe_danger
from infra.services.connect import ConnectorState, SlotState

MB = 1_000_000
LIMIT_MB = 256


@pytest.mark.parametrize(
    ("connector", "slot", "missing", "words"),
    [
        ("running", SlotState(True, 0, LIMIT_MB * MB), [], []),
        ("running", SlotState(True, 0, LIMIT_MB * MB + 1), [], ["grows", "256 MB", "runbook"]),
        ("running", SlotState(False, 0, LIMIT_MB * MB + 1), [], ["grows"]),
        ("not answering", SlotState(False, 0, 16 * MB), [], ["nobody reads"]),
        ("running", None, [], []),
        ("failed", SlotState(True, 0, 0), [], ["failed", "no such table", "make logs"]),
        ("running", SlotState(True, 0, 0), ["users.country"], ["no column users.country"]),
    ],
)
def test_status_warns_exactly_when_change_capture_is_in_danger(
    connector: str, slot: SlotState | None, missing: list[str], words: list[str]
) -> None:
    trace = "no such table" if connector == "failed" else ""
    warning = describe_danger(ConnectorState(connector, trace), slot, LIMIT_MB, missing)
    assert bool(warning) == bool(words)
    assert [word for word in words if word not in warning] == []
