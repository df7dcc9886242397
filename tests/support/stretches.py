"""Hands out stretches of a lakehouse's event time; empties the lakehouse when none is left.

Event time only goes forward, and no test knows which tests ran before it. So a test that needs a
stretch that has passed gets an empty lakehouse. This takes longer, but changes nothing else.
"""

import time

from configuration.waiting import wait_until
from tests.support.lake import HOUR_MS, Journal, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import SECOND_MS

# Enough hours for every file, several times; older than what the attribution models learn from.
DAYS_OF_HISTORY = 4
# The most event time that a test file may need.
ROOM_MS = 12 * HOUR_MS
# If event time is ahead of the clock by less than this, wait for the clock.
PATIENCE_SECONDS = 90


class Stretches:
    """Hands out stretches of event time; `life` counts how often the lakehouse was emptied."""

    def __init__(self, lakehouse: RunningLakehouse) -> None:
        self._lakehouse = lakehouse
        self.life = 0
        self._journal = self._open_journal()

    def history(self) -> Lake:
        """A stretch in the past that begins at an unused whole hour, with room of `ROOM_MS`."""
        first_ms = (_now_ms() // HOUR_MS - DAYS_OF_HISTORY * 24) * HOUR_MS
        begin_ms = max(first_ms, self._next_hour_ms())
        if begin_ms > _now_ms() - ROOM_MS:
            self._start_empty()
            begin_ms = first_ms
        return Lake(self._lakehouse, self._journal, begin_ms)

    def today(self, hours_ago: int) -> Lake:
        """A stretch from a whole hour `hours_ago` on, with nothing dated in that hour or later."""
        begin_ms = (_now_ms() // HOUR_MS - hours_ago) * HOUR_MS
        if begin_ms < self._next_hour_ms():
            self._start_empty()
        return Lake(self._lakehouse, self._journal, begin_ms)

    def present(self, ago_seconds: int = 0) -> Lake:
        """A stretch from `ago_seconds` before now on; may wait for the clock."""
        begin_ms = _now_ms() - ago_seconds * SECOND_MS
        self._journal.read()
        ahead_seconds = (self._journal.newest_ms - begin_ms) / SECOND_MS
        if ahead_seconds > PATIENCE_SECONDS:
            self._start_empty()
        elif ahead_seconds > 0:
            wait_until(
                lambda: _now_ms() - ago_seconds * SECOND_MS > self._journal.newest_ms,
                PATIENCE_SECONDS,
                "the clock to pass the newest event",
            )
        return Lake(self._lakehouse, self._journal, _now_ms() - ago_seconds * SECOND_MS)

    def _next_hour_ms(self) -> int:
        self._journal.read()
        newest_ms = max(0, self._journal.newest_ms)
        return (int(newest_ms) // HOUR_MS + 1) * HOUR_MS

    def _start_empty(self) -> None:
        self._lakehouse.empty()
        self._journal = self._open_journal()
        self.life += 1

    def _open_journal(self) -> Journal:
        pipeline = self._lakehouse.settings.pipeline
        return Journal(self._lakehouse.kafka(), pipeline.topics, pipeline.contract)


def _now_ms() -> int:
    return int(time.time() * SECOND_MS)
