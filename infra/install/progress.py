"""Progress of slow work: one line for each finished step, with its duration.

A terminal also shows live progress bars.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from configuration.terminal import escape_controls

# Piped output has no terminal width; rich would wrap it at 80 characters.
LOG_WIDTH = 160


class EscapingConsole(Console):
    """Shows control characters escaped, in lines and in the cells of tables."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """Turn a string into rich's text; rich calls this for each string that it shows."""
        return super().render_str(escape_controls(text), **settings)


console = EscapingConsole(
    highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH
)


class Reporter:
    """Thread-safe progress: `step` for work, `download` for bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars = Progress(
            TextColumn("    {task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Reporter":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            console.print(text, markup=False)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show `name` as running on a terminal; when it succeeds, print how long it took."""
        started = time.monotonic()
        bar = self._bars.add_task(name, total=None)
        try:
            yield
        finally:
            self._bars.remove_task(bar)
        self.say(f"  {name:<44} {time.monotonic() - started:6.1f} s")

    @contextmanager
    def download(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yield a function to call with the size of each downloaded chunk."""
        bar = self._bars.add_task(name, total=total)
        started = time.monotonic()
        try:
            yield lambda size: self._bars.update(bar, advance=size)
        finally:
            self._bars.remove_task(bar)
        if total > 10_000_000:
            self.say(f"  {name:<44} {time.monotonic() - started:6.1f} s  {total / 1e6:.0f} MB")
