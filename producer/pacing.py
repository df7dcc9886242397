"""When to send: event time in, seconds to wait out. The caller passes the clock."""

import math
from collections.abc import Callable

Clock = Callable[[], float]  # epoch seconds, such as time.time


class Pace:
    """Event time runs `speed` times as fast as the clock, but never ahead of it.

    After a delay (history to send, a laptop that slept, a slow machine) it catches up as fast as
    `speed` allows. Once it reaches the present, every message is sent when it occurs.

    Args:
        start_ms: event time of the first message; corresponds to now on the clock.
        speed: `math.inf` for as fast as possible.
        clock: returns epoch seconds.
    """

    def __init__(self, start_ms: int, speed: float, clock: Clock) -> None:
        self._start = start_ms / 1000
        self._speed = speed
        self._clock = clock
        self._began_at = clock()

    def wait_seconds(self, sent_at_ms: int) -> float:
        """Seconds until a message with this event time is due; 0 or less if it is due now."""
        sent_at = sent_at_ms / 1000
        elapsed = 0.0 if self._speed == math.inf else (sent_at - self._start) / self._speed
        return max(sent_at, self._began_at + elapsed) - self._clock()


class Periodic:
    """Runs an action repeatedly, at most once every `interval_seconds`."""

    def __init__(self, interval_seconds: float, clock: Clock, action: Callable[[], None]) -> None:
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._action = action
        self._due_at = clock() + interval_seconds

    def run_if_due(self) -> None:
        """Run the action if it is due."""
        now = self._clock()
        if now >= self._due_at:
            self._due_at = now + self._interval_seconds
            self._action()
