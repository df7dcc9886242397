"""Queries on a real Flink, small enough to start for each."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.parts import Parts
from infra.progress import Reporter
from infra.settings import load_settings
from tests.support.lakehouses import Lakehouse

Query = Callable[[list[str], str], list[list[Any]]]


@pytest.fixture(scope="session")
def parts(lakehouse: Lakehouse) -> Parts:
    """What `make run` fetched and built."""
    assert lakehouse.settings
    return Parts(load_settings().parts, Reporter())


@pytest.fixture(scope="session")
def query(parts: Parts) -> Query:
    """Run statements, then a query, on a Flink of its own; returns the rows."""
    distribution = parts.root / "flink-distribution"
    environment = {
        **os.environ,
        "JAVA_HOME": str(parts.java(21)),
        "FLINK_HOME": str(parts.flink_home),
        "FLINK_LIB_DIR": str(distribution / "lib"),
        "FLINK_PLUGINS_DIR": str(distribution / "plugins"),
        "JVM_ARGS": "-Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    }
    python = parts.environment("flink") / "bin/python"
    driver = Path(__file__).with_name("mini_cluster.py")

    def run(statements: list[str], text: str) -> list[list[Any]]:
        task = {"jar": str(parts.attribution_jar), "statements": statements, "query": text}
        done = subprocess.run(
            [python, driver],
            input=json.dumps(task),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    return run
