"""`make audit`, as machines read it."""

import json
from datetime import datetime
from typing import Any

from tests.support.lakehouses import RunningLakehouse


def make_audit(lakehouse: RunningLakehouse) -> Any:
    """The audit, which must hold."""
    return json.loads(lakehouse.audit(as_json=True))


def read_hour(row: dict[str, str]) -> datetime:
    """Of a row of an audit."""
    return datetime.fromisoformat(row["hour"])
