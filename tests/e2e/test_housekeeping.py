"""When housekeeping ends during a mart build, at most one writer of the marts remains."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from configuration import REPOSITORY
from configuration.trino_client import TrinoClient, connect_trino
from configuration.waiting import wait_until
from infra.services.model import Lakehouse, topology_environment
from tests.support.lakehouses import RunningLakehouse

# Housekeeping whose first mart build, its third task, starts at once.
HURRIED = """
from infra.operations import housekeeping
housekeeping.FIRST_TURN_SECONDS = -2 * housekeeping.SECONDS_APART
housekeeping.main()
"""
BUILD_SECONDS = 300
# dbt lets the statements that it began finish: half a minute if other work uses both cores.
END_SECONDS = 180


@pytest.fixture(scope="module")
def trino(lakehouse: RunningLakehouse, own: Lakehouse) -> TrinoClient:
    """A Trino client; checks that no other housekeeping builds marts in this lakehouse."""
    assert "housekeeping" not in lakehouse.pids()
    return connect_trino(own.settings, own.secrets)


@pytest.fixture
def housekeeping(own: Lakehouse, trino: TrinoClient) -> Iterator[psutil.Popen]:
    """Housekeeping during a mart build, while Trino runs one of dbt's statements."""
    wait_until(lambda: not is_building(trino), END_SECONDS, "earlier statements to end")
    process = psutil.Popen(
        [sys.executable, "-c", HURRIED],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, **topology_environment(own)},
        stderr=subprocess.PIPE,
        text=True,
    )
    children = []
    try:
        wait_until(lambda: has_begun_build(process, trino), BUILD_SECONDS, "a build of the marts")
        children = process.children(recursive=True)
        yield process
    finally:
        for each in (process, *children):
            if each.is_running():
                each.kill()
                each.wait(END_SECONDS)


def has_begun_build(housekeeping: psutil.Popen, trino: TrinoClient) -> bool:
    assert housekeeping.poll() is None, housekeeping.stderr.read()
    return bool(find_builds(housekeeping)) and is_building(trino)


def find_builds(housekeeping: psutil.Popen) -> list[psutil.Process]:
    """Its dbt; it may have another child, which learns the models' weights."""
    return [child for child in housekeeping.children() if is_dbt(child)]


def is_dbt(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
        return any(Path(argument).name == "dbt" for argument in process.cmdline())
    return False


def is_building(trino: TrinoClient) -> bool:
    return bool(
        trino.query(
            "select 1 from system.runtime.queries"
            " where source like 'dbt%' and state not in ('FINISHED', 'FAILED')"
        )
    )


def is_locked(own: Lakehouse) -> bool:
    """Whether a second mart build would have to wait."""
    with (own.data / "marts.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.thorough
@pytest.mark.usefixtures("dbt")
def test_mart_build_ends_when_housekeeping_is_stopped(
    own: Lakehouse, trino: TrinoClient, housekeeping: psutil.Popen
) -> None:
    [dbt] = find_builds(housekeeping)
    assert is_locked(own)
    housekeeping.terminate()
    _, said = housekeeping.communicate(timeout=END_SECONDS)
    assert not dbt.is_running()
    assert not is_building(trino)
    assert not is_locked(own)
    assert "Traceback" not in said


@pytest.mark.thorough
@pytest.mark.usefixtures("dbt")
def test_orphaned_mart_build_keeps_its_lock_when_housekeeping_is_killed(
    own: Lakehouse, housekeeping: psutil.Popen
) -> None:
    [dbt] = find_builds(housekeeping)
    housekeeping.kill()
    housekeeping.wait(END_SECONDS)
    assert dbt.is_running()
    assert is_locked(own)
    dbt.send_signal(signal.SIGINT)
    dbt.wait(END_SECONDS)
    assert not is_locked(own)
