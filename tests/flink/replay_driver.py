"""Runs one replay in its own Flink; runs in Flink's Python environment.

replay_driver.py JAR        the environment names the settings files
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from configuration.settings import load_settings
from flink_jobs.replay import replay

if __name__ == "__main__":
    with TemporaryDirectory() as checkpoints:
        options = {
            "execution.target": "local",
            "rest.port": "0",
            "rest.bind-port": "0",
            # A local cluster has no plugins, so it can't keep checkpoints in S3.
            "execution.checkpointing.dir": Path(checkpoints).as_uri(),
        }
        replay(load_settings(), Path(sys.argv[1]), options)
