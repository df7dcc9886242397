"""Control characters never reach a terminal: lines, tables, logs and other programs' output."""

import logging
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from rich.table import Table

from configuration import REPOSITORY
from configuration.terminal import EscapingFormatter, escape_controls, run_escaped
from infra.install.progress import console
from tests.support.terminals import ATTACK, SHOWN, obeyed, obeying_ctrl_c


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


def test_ctrl_c_ends_a_program_that_ignores_it() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        " print('ready', flush=True); time.sleep(600)"
    )
    program = f"""
        import sys
        from configuration.terminal import run_escaped
        try:
            run_escaped([sys.executable, "-c", {stubborn!r}])
        except KeyboardInterrupt:
            sys.exit(130)
    """
    with subprocess.Popen(
        obeying_ctrl_c([sys.executable, "-c", textwrap.dedent(program)]),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (130, "")
