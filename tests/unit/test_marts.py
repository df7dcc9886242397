"""Builds of the marts: one at a time, and the advice when one fails."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from configuration.settings import CONTAINERS_FILE, NATIVE_FILE, load_settings
from infra.services.marts import name_remedy, only_writer_of_marts
from tests.support.scratch import describe_scratch

# Trino's error for a build of ten days from scratch, as dbt shows it.
TOO_LARGE = (
    "TrinoQueryError(type=INSUFFICIENT_RESOURCES, name=EXCEEDED_LOCAL_MEMORY_LIMIT,"
    ' message="Query exceeded per-node memory limit of 296.96MB", query_id=20261127_212110_01549)'
)
# The same for a query that Trino ended because several needed too much together.
TOO_MANY = "TrinoQueryError(type=INSUFFICIENT_RESOURCES, name=CLUSTER_OUT_OF_MEMORY)"


@pytest.mark.parametrize("refused", [TOO_LARGE, TOO_MANY])
@pytest.mark.parametrize(
    ("topology_file", "published", "advised"),
    [
        (NATIVE_FILE, "", ["`make run`"]),
        (
            CONTAINERS_FILE,
            "trino.port=28443",
            ["mem_limit of trino in docker-compose.yaml", "`make up`"],
        ),
    ],
    ids=["native", "containers"],
)
def test_advice_names_key_value_and_remedy_when_trino_lacks_memory_for_a_build(
    monkeypatch: pytest.MonkeyPatch,
    topology_file: Path,
    published: str,
    advised: list[str],
    refused: str,
) -> None:
    monkeypatch.setenv("TRIBUTARY_TOPOLOGY", str(topology_file))
    monkeypatch.setenv("PUBLISHED_PORTS", published)
    settings = load_settings()
    remedy = name_remedy(["", refused], settings)
    heap = f"{topology_file}: heap_mb of [trino] is {settings.topology.trino.heap_mb}"
    assert [words for words in (heap, "raise it", *advised) if words not in remedy] == []


def test_there_is_no_advice_when_a_build_fails_for_another_reason() -> None:
    assert name_remedy(["", "line 1:8: Column 'a' cannot be resolved"], load_settings()) == ""


def test_next_writer_waits_when_a_build_outlives_the_process_that_started_it(
    tmp_path: Path,
) -> None:
    described = describe_scratch(tmp_path)
    with only_writer_of_marts(described, "a build") as lock:
        orphan = subprocess.Popen(["sleep", "infinity"], pass_fds=(lock,))
    with (described.data / "marts.lock").open("w") as second:
        with pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        orphan.kill()
        orphan.wait()
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
