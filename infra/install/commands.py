"""Run commands; show their output only if they fail."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from configuration.errors import CommandError


def run_quietly(
    command: Sequence[str],
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> None:
    """Run a command and show its output only if it fails.

    Args:
        command: program and arguments.
        cwd: folder to run in; default: the current one.
        env: environment variables; default: the current ones.
        pass_fds: file descriptors that the command inherits.

    Raises:
        CommandError: the command failed; the message ends with the last 15 lines of its output.
    """
    result = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        pass_fds=pass_fds,
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.strip().splitlines()[-15:])
        raise CommandError(f"{Path(command[0]).name} failed ({result.returncode}):\n{tail}")
