"""What is checked before anything is fetched."""

from pathlib import Path

import pytest

from configuration.errors import InstallError
from infra.install import parts
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.install.steps import Step

MORE_THAN_ANY_DISK_GB = 10**9


def test_nothing_is_fetched_onto_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    made = Parts(tmp_path, Reporter())
    steps = [Step("fetch", lambda: fetched.append("it"))]
    made.ensure(steps)
    monkeypatch.setattr(parts, "ROOM_GB", MORE_THAN_ANY_DISK_GB)
    with pytest.raises(InstallError, match=rf"{tmp_path}: its disk has .* GB free.*make room"):
        made.ensure(steps)
    # Once everything is there, a full disk is no reason not to start.
    (tmp_path / "trino").mkdir()
    made.ensure(steps)
    assert len(fetched) == 2
