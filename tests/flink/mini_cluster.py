"""Runs queries in its own Flink, one after another; runs in Flink's Python environment.

Reads one task a line from standard input: `{"jar": ..., "statements": [...], "query": ...,
"answer": FILE}`. Writes `{"rows": [...]}` to the file, each row a list of the text that SQL's cast
gives (null stays null), or `{"error": ...}`. Ends when its input ends.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from pyflink.table import EnvironmentSettings, TableEnvironment


def main() -> None:
    """Do each task in a fresh table environment."""
    for line in sys.stdin:
        task = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"rows": run(task)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        file = Path(task["answer"])
        scratch = file.with_suffix(".new")
        scratch.write_text(json.dumps(answer))
        scratch.rename(file)


def run(task: dict[str, Any]) -> list[Any]:
    """Run the statements, then the query."""
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    options = tables.get_config()
    options.set("pipeline.jars", Path(task["jar"]).as_uri())
    options.set("parallelism.default", "1")
    options.set("table.local-time-zone", "UTC")
    # Watermarks move with every row, so that only the rows decide what is behind the watermark.
    options.set("pipeline.auto-watermark-interval", "0 ms")
    for statement in task["statements"]:
        tables.execute_sql(statement)
    with tables.execute_sql(task["query"]).collect() as rows:
        return [list(row) for row in rows]


if __name__ == "__main__":
    main()
