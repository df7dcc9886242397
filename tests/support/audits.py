"""Runs `make audit` and reads its JSON."""

import json
from datetime import datetime
from typing import Any

from tests.support.lakehouses import RunningLakehouse


def make_audit(lakehouse: RunningLakehouse) -> Any:
    """Run an audit; fails unless it holds."""
    return json.loads(lakehouse.audit(as_json=True))


def read_hour(row: dict[str, str]) -> datetime:
    """The hour of an audit's row."""
    return datetime.fromisoformat(row["hour"])
