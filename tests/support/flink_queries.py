"""The tests' own Flink for single queries; it runs in one process and needs no cluster."""

import json
import os
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

from configuration.waiting import wait_until
from infra.install.parts import Parts

DRIVER = Path(__file__).parents[1] / "flink/mini_cluster.py"
QUERY_SECONDS = 300
END_SECONDS = 30


class FlinkQueries:
    """One process for any number of queries, because starting it takes longer than a query."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        self._jar = str(parts.attribution_jar)
        self._folder = folder
        self._numbers = count()
        self._log = folder / "flink.log"
        distribution = parts.root / "flink-distribution"
        environment = {
            **os.environ,
            "JAVA_HOME": str(parts.java(21)),
            "FLINK_HOME": str(parts.flink_home),
            "FLINK_LIB_DIR": str(distribution / "lib"),
            "FLINK_PLUGINS_DIR": str(distribution / "plugins"),
            "JVM_ARGS": "-Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [parts.virtualenv("flink") / "bin/python", DRIVER],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
            )

    def __call__(self, statements: list[str], query: str) -> list[list[Any]]:
        """Run statements, then a query; return its rows."""
        answer = self._folder / f"answer-{next(self._numbers)}.json"
        task = {"jar": self._jar, "statements": statements, "query": query, "answer": str(answer)}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        wait_until(
            lambda: answer.exists() or self._process.poll() is not None,
            QUERY_SECONDS,
            f"an answer of Flink; its output is in {self._log}",
        )
        assert answer.exists(), self._log.read_text()
        found = json.loads(answer.read_text())
        assert "rows" in found, found["error"]
        return list(found["rows"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(END_SECONDS)
