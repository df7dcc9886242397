"""When to send: event time in, seconds to wait out. The clock is a parameter."""

import math
from collections.abc import Callable

Clock = Callable[[], float]  # epoch seconds, such as time.time


class Pace:
    """Event time that runs `speed` times as fast as the clock, but never ahead of it.

    What is behind (history, a laptop that slept, a slow machine) is caught up with as fast as
    `speed` allows; from the present on, every message is sent when it occurs.

    Args:
        start_ms: event time of the beginning, which is now.
        speed: `math.inf` for as fast as possible.
        clock: tells epoch seconds.
    """

    def __init__(self, start_ms: int, speed: float, clock: Clock) -> None:
        self._start = start_ms / 1000
        self._speed = speed
        self._clock = clock
        self._began_at = clock()

    def wait_seconds(self, sent_at_ms: int) -> float:
        """Seconds until a message of that event time is due; 0 or less if it is."""
        sent_at = sent_at_ms / 1000
        elapsed = 0.0 if self._speed == math.inf else (sent_at - self._start) / self._speed
        return max(sent_at, self._began_at + elapsed) - self._clock()


class Periodic:
    """Something to do again and again, as often as `interval_seconds` at most."""

    def __init__(self, interval_seconds: float, clock: Clock, action: Callable[[], None]) -> None:
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._action = action
        self._due_at = clock() + interval_seconds

    def run_if_due(self) -> None:
        """Do it if it is time."""
        now = self._clock()
        if now >= self._due_at:
            self._due_at = now + self._interval_seconds
            self._action()
