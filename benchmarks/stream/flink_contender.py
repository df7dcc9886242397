"""Runs one Flink job of a benchmark to its end, in Flink's Python environment.

Reads a task from standard input: `folder` of SQL files (null: the product's own), `inserts` to keep
(null: all), `jar`. Writes the job's id. The job reads the messages that the topics hold now.
"""

import json
import sys
from pathlib import Path

from configuration.settings import load_settings
from flink_jobs.rendering import SQL_FOLDER
from flink_jobs.replay import replay


def main() -> None:
    """Submit the job and wait until it ends."""
    task = json.load(sys.stdin)
    folder = Path(task["folder"]) if task["folder"] else SQL_FOLDER
    wanted = task["inserts"]
    job_id = replay(
        load_settings(),
        Path(task["jar"]),
        {},
        folder,
        lambda statement: not statement.is_insert or wanted is None or statement.name in wanted,
    )
    json.dump({"job_id": job_id}, sys.stdout)


if __name__ == "__main__":
    main()
