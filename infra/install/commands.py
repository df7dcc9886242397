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
    _check(command, result.returncode, result.stdout)


def read_output(command: Sequence[str], text: str = "", env: dict[str, str] | None = None) -> str:
    """Run a command with `text` as its standard input, and return its standard output.

    Raises:
        CommandError: the command failed; the message ends with the last 15 lines of its errors.
    """
    result = subprocess.run(
        command, env=env, input=text, text=True, capture_output=True, check=False
    )
    _check(command, result.returncode, result.stderr)
    return result.stdout


def _check(command: Sequence[str], exit_code: int, output: str) -> None:
    if exit_code != 0:
        tail = "\n".join(output.strip().splitlines()[-15:])
        raise CommandError(f"{Path(command[0]).name} failed ({exit_code}):\n{tail}")
