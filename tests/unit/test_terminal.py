"""Control characters never reach a terminal: lines, tables, logs and other programs' output."""

import logging
import sys

import pytest
from rich.table import Table

from configuration.terminal import EscapingFormatter, escape_controls, run_escaped
from infra.install.progress import console
from tests.support.terminals import ATTACK, SHOWN, obeyed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ATTACK, SHOWN),
        ("tab\tand\rreturn", r"tab\tand\rreturn"),
        ("right to left \u202e, isolated \u2066", r"right to left \u202e, isolated \u2066"),
        ("a line\nanother", "a line\nanother"),
        ("téléphone 電話 \U0001f600", "téléphone 電話 \U0001f600"),
    ],
)
def test_control_characters_are_escaped_and_letters_are_not(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_lines_and_tables_of_the_console_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(ATTACK, "plain")
    table.add_row("plain", ATTACK)
    console.print(table)
    console.print(f"change capture: {ATTACK}", markup=False)
    printed = capsys.readouterr().out
    assert printed.count(SHOWN) == 3
    assert obeyed(printed) == ""


def test_log_records_are_escaped_with_their_stack_trace() -> None:
    try:
        raise ValueError(ATTACK)
    except ValueError:
        trace = sys.exc_info()
    record = logging.LogRecord("log", logging.ERROR, "file", 1, "%s", (ATTACK,), trace)
    logged = EscapingFormatter("%(message)s").format(record)
    assert logged.count(SHOWN) == 2
    assert obeyed(logged) == ""


def test_output_of_a_program_is_escaped_on_both_streams(
    capfd: pytest.CaptureFixture[str],
) -> None:
    program = f"import sys; print({ATTACK!r}); sys.stderr.buffer.write(b'\\xff\\x1b'); sys.exit(3)"
    assert run_escaped([sys.executable, "-X", "utf8", "-c", program]) == 3
    printed = capfd.readouterr()
    assert printed.out == SHOWN + "\n"
    assert printed.err == r"\xff\x1b"
