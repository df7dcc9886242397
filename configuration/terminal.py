"""Text for terminals: control characters are shown escaped.

A terminal obeys control characters. Anybody who sends events could otherwise move the cursor, hide
lines, or fill the clipboard of whoever looks at the events. Everything that shows values of events
goes through this module. The data itself stays as it is.

`python -m configuration.terminal` copies standard input to standard output, escaped.

This module imports only the standard library: the image of Trino has nothing else.
"""

import io
import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from threading import Thread
from typing import IO, Any, TextIO


def escape_controls(text: str) -> str:
    r"""Return the text with each character that is not printable in Python's notation: `\x1b`.

    These are control characters (C0, DEL, C1), invisible ones and those that change the direction
    of writing. Line ends stay, because texts of many lines have them.
    """
    return "".join(
        each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text
    )


class EscapingFormatter(logging.Formatter):
    """Formats log records with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, with its stack trace."""
        return escape_controls(super().format(record))


def copy_escaped(source: IO[bytes], target: TextIO) -> None:
    r"""Copy line by line to the end, escaped; a byte that is not UTF-8 is shown as `\xff`."""
    for line in io.TextIOWrapper(source, "utf-8", "backslashreplace", newline="\n"):
        target.write(escape_controls(line))
        target.flush()


def run_escaped(command: Sequence[str], **options: Any) -> int:
    """Run a program and show what it prints, escaped; return its exit code.

    Ctrl-C ends the program at once: dbt, for one, would go on until its model is done.

    Args:
        command: program and arguments.
        options: as for `subprocess.Popen`.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    ) as process:
        pairs = (process.stdout, sys.stdout), (process.stderr, sys.stderr)
        copies = [Thread(target=copy_escaped, args=pair) for pair in pairs]
        for copy in copies:
            copy.start()
        try:
            process.wait()
        except KeyboardInterrupt:
            process.kill()
            raise
        finally:
            for copy in copies:
                copy.join()
    return process.returncode


def main() -> None:
    """Copy standard input, escaped, until it ends or nobody reads the output any more."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the programs around this one
    copy_escaped(sys.stdin.buffer, sys.stdout)


if __name__ == "__main__":
    main()
