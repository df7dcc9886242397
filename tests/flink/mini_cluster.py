"""One query on a Flink of this process's own; runs in Flink's Python environment.

Reads `{"jar": ..., "statements": [...], "query": ...}` from standard input and writes the rows as
JSON, each a list of the text that SQL's cast gives (null stays null).
"""

import json
import sys

from pyflink.table import EnvironmentSettings, TableEnvironment


def main() -> None:
    """Run the statements, then the query."""
    task = json.load(sys.stdin)
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    options = tables.get_config()
    options.set("pipeline.jars", f"file://{task['jar']}")
    options.set("parallelism.default", "1")
    options.set("table.local-time-zone", "UTC")
    # Watermarks move with every row, so that what is behind them is decided by the rows alone.
    options.set("pipeline.auto-watermark-interval", "0 ms")
    for statement in task["statements"]:
        tables.execute_sql(statement)
    with tables.execute_sql(task["query"]).collect() as rows:
        json.dump([list(row) for row in rows], sys.stdout)


if __name__ == "__main__":
    main()
