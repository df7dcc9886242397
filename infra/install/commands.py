"""Commands whose output matters only if they fail."""

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
    """Run a command whose output matters only if it fails; it inherits `pass_fds`.

    Raises:
        CommandError: with the last lines of what it said.
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
        said = "\n".join(result.stdout.strip().splitlines()[-15:])
        raise CommandError(f"{Path(command[0]).name} failed ({result.returncode}):\n{said}")
