"""Terminals: text that attacks them, and programs that Ctrl-C ends."""

import sys
from collections.abc import Sequence

# Sets the window's title, clears the screen, colours by a C1 code, reverses the text's direction.
ATTACK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x7f"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\x7f"


def obeyed(text: str) -> str:
    """The characters that a terminal would obey instead of showing them; '' if there are none."""
    return "".join(each for each in text if not each.isprintable() and each != "\n")


def obeying_ctrl_c(command: Sequence[str]) -> list[str]:
    """The command, started so that SIGINT ends it even if the tests run in the background.

    A shell starts background processes with SIGINT ignored, and their children inherit that.
    """
    start = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        " os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", start, *command]
