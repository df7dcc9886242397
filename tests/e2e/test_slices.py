"""Builds of much history, in slices: an interrupted full refresh, and a build of many hours."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from configuration import REPOSITORY
from infra.services.model import Lakehouse, topology_environment
from reference.events import make_checkout
from tests.support.lake import HOUR_MS, Lake
from tests.support.marts import RunDbt
from tests.support.terminals import obeying_ctrl_c
from tests.support.traffic import SECOND_MS, outgoing

MART = "marts.attributed_checkouts"
SEED = 1
# Nothing else is dated in these years.
OLD_MS = int(datetime(2007, 1, 1, tzinfo=UTC).timestamp()) * SECOND_MS
SCATTERED_MS = int(datetime(2008, 1, 1, tzinfo=UTC).timestamp()) * SECOND_MS
# More than six hours, so that the build counts their messages.
SCATTERED = 8
SLICES = 4


@pytest.fixture(scope="module")
def user_id(lake: Lake) -> int:
    """The buyer."""
    return lake.traffic(SEED).eager_user


def buy(lake: Lake, user_id: int, *at_ms: int) -> None:
    """The user's checkouts; waits until they are in the lake."""
    checkouts = [make_checkout(f"{user_id} at {at}", user_id, at) for at in at_ms]
    lake.send([outgoing(lake.topics.checkouts, checkout, 0) for checkout in checkouts])
    lake.finish_hour()


def read_mart(lake: Lake) -> list[Any]:
    return lake.trino.query(
        f"select * from {MART} order by user_id, checkout_id, product_id, checked_out_at"
    )


def ids_of(lake: Lake, user_id: int) -> set[str]:
    """The times of the user's checkouts in the mart."""
    rows = lake.trino.query(f"select checkout_id from {MART} where user_id = {user_id}")
    return {checkout_id.split(" at ")[1] for [checkout_id] in rows}


def count_messages(lake: Lake) -> int:
    [[count]] = lake.trino.query(
        "select (select count(*) from raw.clickstream) + (select count(*) from raw.checkouts)"
    )
    return int(count)


@contextmanager
def full_refresh(own: Lakehouse, slice_rows: int) -> Iterator[subprocess.Popen[str]]:
    """A full refresh of the mart, started as `make dbt` does."""
    command = (
        *("run", "--full-refresh", "--select", "attributed_checkouts"),
        *("--vars", f"{{slice_rows: {slice_rows}}}"),
    )
    with subprocess.Popen(
        obeying_ctrl_c([sys.executable, "-m", "infra", "dbt", *command]),
        cwd=REPOSITORY,
        env={"PATH": os.defpath, **topology_environment(own)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def slices_in(lines: Iterator[str]) -> Iterator[int]:
    """The numbers of the slices that dbt says are done."""
    for line in lines:
        for number in re.findall(r"slice (\d+) of", line):
            yield int(number)


@pytest.mark.thorough
def test_interrupted_full_refresh_goes_on_and_the_next_build_adds_what_came_meanwhile(
    lake: Lake,
    own: Lakehouse,
    dbt_on_lake: RunDbt,
    user_id: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    lake.wake()
    buy(lake, user_id, *(lake.now_ms + hour * HOUR_MS for hour in range(1, SLICES)))
    dbt_on_lake("run", "attributed_checkouts")
    before = read_mart(lake)
    slice_rows = count_messages(lake) // SLICES

    with full_refresh(own, slice_rows) as process:
        assert process.stdout
        done = next(number for number in slices_in(process.stdout) if number > 1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert read_mart(lake) == before

    # One checkout of a slice that is done, and a newer one of the last slice.
    buy(lake, user_id, OLD_MS, lake.now_ms)
    counts = set()
    with full_refresh(own, slice_rows) as process:
        assert process.stdout
        for number in slices_in(process.stdout):
            assert number >= done
            counts.add(len(read_mart(lake)))
    assert process.returncode == 0
    assert counts <= {len(before), len(read_mart(lake))}, "readers see old rows or complete ones"
    assert str(OLD_MS) not in ids_of(lake, user_id)

    # The next build begins where the full refresh did, and computes hours of many years.
    scattered_ms = [SCATTERED_MS + 100 * number * HOUR_MS for number in range(SCATTERED)]
    buy(lake, user_id, *scattered_ms)
    capfd.readouterr()
    variables = "{restatement_overlap_seconds: 0, slice_rows: 1}"
    dbt_on_lake("run", "attributed_checkouts", "--vars", variables)
    said = capfd.readouterr().out
    assert max(slices_in(iter(said.splitlines()))) >= SCATTERED
    begins = re.findall(r"slice .* from (\S+ \S+)", said)
    assert begins == sorted(begins, reverse=True), "newer hours do not wait for older ones"
    assert {str(OLD_MS), *map(str, scattered_ms)} <= ids_of(lake, user_id)
    dbt_on_lake(
        "test",
        "attributed_checkouts,test_name:equals_full_refresh",
        *("--vars", f"{{slice_rows: {slice_rows}}}"),
    )
