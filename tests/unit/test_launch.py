"""A container's launch script, run by the shell: the first run once, the environment always."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from infra.services.model import FirstRun, Service
from infra.topologies.containers import render_launch

FAILS = 7


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Prints a variable of its environment; its first run makes a folder with a file."""
    data = tmp_path / "data"
    scratch = tmp_path / "data.new"
    return Service(
        name="any",
        command=["sh", "-c", 'echo "runs with $WORD"; ls data'],
        environment={"WORD": "it's $HOME & 'more'"},
        folders=(tmp_path / "made",),
        first_run=FirstRun(
            command=["sh", "-c", f"mkdir {scratch}; echo first run; touch {scratch}/whole"],
            leaves=data,
            scratch=scratch,
        ),
        directory=tmp_path,
    )


def launch(service: Service, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "launch"
    script.write_text(render_launch(service))
    return subprocess.run(
        ["sh", script, *arguments], capture_output=True, text=True, check=False, timeout=30
    )


def test_first_run_happens_only_once(service: Service, tmp_path: Path) -> None:
    said = [launch(service, tmp_path).stdout.splitlines() for _ in range(2)]
    runs = "runs with it's $HOME & 'more'"
    assert said == [["first run", runs, "whole"], [runs, "whole"]]
    assert (tmp_path / "made").is_dir()


def test_files_are_for_their_owner_only(service: Service, tmp_path: Path) -> None:
    writing = replace(service, command=["touch", "written"])
    assert launch(writing, tmp_path).returncode == 0
    made = [tmp_path / name for name in ("made", "data", "data/whole", "written")]
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_interrupted_first_run_starts_over(service: Service, tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new/half").touch()
    assert launch(service, tmp_path).stdout.splitlines()[-1] == "whole"
    assert not (tmp_path / "data.new").exists()


def test_service_does_not_start_when_its_first_run_fails(service: Service, tmp_path: Path) -> None:
    assert service.first_run
    failing = replace(service.first_run, command=["sh", "-c", f"exit {FAILS}"])
    ended = launch(replace(service, first_run=failing), tmp_path)
    assert ended.returncode == FAILS
    assert "runs with" not in ended.stdout
    assert not (tmp_path / "data").exists()


def test_arguments_replace_the_command_and_get_the_services_environment(
    service: Service, tmp_path: Path
) -> None:
    ended = launch(service, tmp_path, "sh", "-c", 'echo "instead with $WORD"')
    assert ended.stdout.splitlines() == ["instead with it's $HOME & 'more'"]
    assert not (tmp_path / "data").exists()
