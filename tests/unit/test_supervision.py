"""supervisord as we use it, with shell scripts as services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from configuration.waiting import wait_until
from infra.services.model import Service
from infra.topologies.supervision import Supervisor
from tests.support.scratch import make_scratch_settings

NAMES = ("one", "another")


def waiter(name: str, folder: Path) -> Service:
    """A service that ends only after all of NAMES were told to end."""
    told = " && ".join(f"[ -e {folder}/{each}.told ]" for each in NAMES)
    wait = f"until {told}; do sleep 0.05; done"
    end = f"touch {folder}/{name}.told; {wait}; touch {folder}/{name}.ended"
    script = folder / f"{name}.sh"
    script.write_text(
        f"trap '{end}; exit' TERM\ntouch {folder}/{name}.ready\nwhile :; do sleep 0.05; done\n"
    )
    return Service(name=name, command=["sh", script], environment={}, stop_seconds=20)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    own = Supervisor(make_scratch_settings(tmp_path))
    services = [waiter(name, tmp_path) for name in NAMES]
    own.start(services)
    try:
        for service in services:
            own.start_service(service)
            ready = tmp_path / f"{service.name}.ready"
            wait_until(ready.exists, 20, service.name)
        yield own
    finally:
        own.shutdown()


def test_what_services_write_and_log_is_for_their_owner_only(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    written = [tmp_path / f"{name}.ready" for name in NAMES]
    logs = [supervisor.log(name) for name in (*NAMES, "supervisord")]
    assert [file for file in (*written, *logs) if file.stat().st_mode & 0o077] == []


def test_stop_services_signals_all_before_it_waits(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.stop_services(NAMES)
    assert all((tmp_path / f"{name}.ended").exists() for name in NAMES)
    assert not any(supervisor.state(name).is_running for name in NAMES)
