"""Plain `dbt` in a shell that ran `eval "$(make -s env ROLE=etl)"`."""

import subprocess
from contextlib import ExitStack

import pytest

from configuration import REPOSITORY
from configuration.environment import dbt_environment
from infra.services.marts import find_dbt, only_writer_of_marts
from infra.services.model import Lakehouse
from tests.support.lakehouses import RunningLakehouse

SHELL = 'eval "$(make -s env ROLE=etl)"; cd dbt; {command}'
END_SECONDS = 180


@pytest.mark.usefixtures("dbt")
def test_dbt_builds_a_mart_in_a_shell_of_etl(lakehouse: RunningLakehouse) -> None:
    built = lakehouse.run("bash", "-c", SHELL.format(command="dbt run --select dim_products"))
    assert "OK created sql incremental model marts.dim_products" in built.stdout


@pytest.mark.usefixtures("dbt")
def test_dbt_shows_its_own_help(lakehouse: RunningLakehouse) -> None:
    shown = lakehouse.run("bash", "-c", SHELL.format(command="dbt run --help")).stdout
    assert "--full-refresh" in shown


@pytest.mark.usefixtures("dbt")
def test_second_build_says_which_one_runs_and_waits_for_it(
    lakehouse: RunningLakehouse, own: Lakehouse
) -> None:
    with ExitStack() as first:
        first.enter_context(only_writer_of_marts(own, "the first build"))
        command = SHELL.format(command="dbt run --select dim_products")
        with lakehouse.open("bash", "-c", command) as second:
            assert second.stdout
            said = second.stdout.readline()
            assert said.startswith("waiting for the end of: the first build, since")
            assert second.poll() is None
            first.close()
            assert "marts.dim_products" in second.stdout.read()
    assert second.returncode == 0


def test_dbt_that_takes_no_lock_refuses_to_build(own: Lakehouse) -> None:
    refused = subprocess.run(
        [find_dbt(own.settings), "run", "--select", "dim_products"],
        cwd=REPOSITORY / "dbt",
        env=dbt_environment(own.settings, own.secrets),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )
    assert refused.returncode != 0
    assert "another build may run beside this one" in refused.stdout
    assert "make -s env ROLE=etl" in refused.stdout
