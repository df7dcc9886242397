"""Run Trino's prompt so that values of events are shown escaped.

Trino's command-line program prints text as it is. A statement from a file or a pipe: its whole
output is escaped. A person at a terminal: rows go through a pager that escapes them.

This module imports only the standard library and configuration/terminal.py: the image of Trino has
nothing else.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from configuration.terminal import run_escaped

# The prompt's default, but without -R, which lets colours and links through.
LESS = "less -FXSn"


def run(command: Sequence[str]) -> int:
    """Run the prompt's command, and return its exit code."""
    is_interactive = sys.stdin.isatty() and sys.stdout.isatty() and "--execute" not in command
    if is_interactive:
        os.environ["TRINO_PAGER"] = _pager()
        os.execvp(command[0], list(command))  # noqa: S606
    return run_escaped(command)


def _pager() -> str:
    """Return a shell command that shows rows escaped, and page by page where there is `less`."""
    escape = shlex.join([sys.executable, "-m", "configuration.terminal"])
    return f"{escape} | {LESS}" if shutil.which("less") else escape


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
