"""Events that attack the terminal of whoever looks at them: every command shows them escaped."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO

import pytest

from infra.services.marts import run_dbt
from infra.services.model import Lakehouse
from reference.events import make_click
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.terminals import ATTACK, SHOWN, obeyed
from tests.support.traffic import MARKING_USER, outgoing

ATTACKED = "attacked"
QUERY = f"select url, user_agent from raw.clickstream where event_id = '{ATTACKED}'"
PROMPT_SECONDS = 120
# The line editor switches bracketed paste on when it awaits a line.
AWAITS_INPUT = "\x1b[?2004h"
# A cast quotes the value in its error.
FAILING_QUERY = f"select cast(url as integer) from raw.clickstream where event_id = '{ATTACKED}'"


@pytest.fixture(scope="module")
def attacked(lake: Lake) -> Lake:
    """The lake after a click with an attack in two fields, and one that is quarantined for it.

    These fields may hold any character; an id or a label may not (test_pipeline.py).
    """
    topic = lake.topics.clickstream
    lake.wake()
    valid = make_click(ATTACKED, MARKING_USER, lake.now_ms, url=ATTACK, user_agent=ATTACK)
    malformed = make_click("malformed", MARKING_USER, lake.now_ms, event_type=f"{ATTACK}\n")
    lake.send([outgoing(topic, each, 0) for each in (valid, malformed)])
    return lake


def test_tables_keep_the_text_as_it_was_sent(attacked: Lake) -> None:
    assert attacked.trino.query(QUERY) == [(ATTACK, ATTACK)]


def test_reason_of_the_quarantine_quotes_escaped(attacked: Lake) -> None:
    [reason] = {row.reason for row in attacked.read().quarantine.values()}
    assert reason == 'event_type: unknown value "{}"'.format(
        r"\u001b]0;owned\u0007\u001b[2J\u009b31m\u202eevil\u007f\u000a"
    )


def test_prompt_shows_rows_of_a_file_escaped(
    attacked: Lake, lakehouse: RunningLakehouse, tmp_path: Path
) -> None:
    assert attacked.trino.query(QUERY)
    shown = ask_from_a_file(lakehouse, tmp_path, QUERY)
    assert shown.count(SHOWN) == 2
    assert obeyed(shown) == ""


def test_prompt_shows_rows_escaped_to_a_person_at_a_terminal(
    attacked: Lake, lakehouse: RunningLakehouse
) -> None:
    assert attacked.trino.query(QUERY)
    shown = ask_at_the_prompt(lakehouse, QUERY.replace(", user_agent", ""))
    assert SHOWN in shown
    # The line editor itself writes escapes, but none of these.
    assert [each for each in ("\x1b]0;", "\x1b[2J", "\x9b", "\u202e") if each in shown] == []


def ask_from_a_file(lakehouse: RunningLakehouse, folder: Path, statement: str) -> str:
    """Run a statement from a file; return what the prompt shows. Fails as the prompt does."""
    file = folder / "query.sql"
    file.write_text(statement)
    return lakehouse.ask(file)


def ask_at_the_prompt(lakehouse: RunningLakehouse, statement: str) -> str:
    """Type a statement, then `exit`; return everything that the terminal received."""
    shown = ""
    with lakehouse.open_prompt() as prompt, stopped_after(prompt, PROMPT_SECONDS):
        assert prompt.stdin
        assert prompt.stdout
        for line in (f"{statement};", "exit"):
            shown += read_until(prompt.stdout, AWAITS_INPUT)
            prompt.stdin.write(f"{line}\n")
            prompt.stdin.flush()
        return shown + prompt.stdout.read()


@contextmanager
def stopped_after(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """End the process if the block takes longer, so that nothing waits for its output."""
    timer = Timer(seconds, process.kill)
    timer.start()
    yield
    timer.cancel()


def read_until(stream: IO[str], end: str) -> str:
    """Read up to and including `end`; fail if the stream ends first."""
    text = ""
    while not text.endswith(end):
        character = stream.read(1)
        assert character, f"{end!r} must follow {text!r}"
        text += character
    return text


def test_prompt_shows_an_error_of_a_file_escaped(
    attacked: Lake, lakehouse: RunningLakehouse, tmp_path: Path
) -> None:
    assert attacked.trino.query(QUERY)
    with pytest.raises(AssertionError) as failed:
        ask_from_a_file(lakehouse, tmp_path, FAILING_QUERY)
    shown = str(failed.value)
    assert f"Cannot cast '{SHOWN}' to INT" in shown
    assert obeyed(shown) == ""


def test_dbt_shows_rows_escaped(
    attacked: Lake, own: Lakehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attacked.trino.query(QUERY)
    assert run_dbt(own, "show", "--output", "json", "--inline", QUERY) == 0
    shown = capsys.readouterr().out
    assert SHOWN in shown or r"\u009b31m\u202eevil" in shown
    assert obeyed(shown) == ""
