"""Wait for a condition with a deadline; all waits of the process can be cancelled."""

import threading
from collections.abc import Callable

from tenacity import (
    RetryError,
    Retrying,
    retry_if_result,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_fixed,
)

from configuration.errors import ServiceError

POLL_SECONDS = 0.25
_given_up = threading.Event()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `condition` holds.

    Args:
        condition: is polled every `POLL_SECONDS`.
        seconds: deadline.
        what: what the wait is for, named in the error.

    Raises:
        ServiceError: the condition does not hold within `seconds`, or `give_up_waiting` was called.
    """
    poll = Retrying(
        retry=retry_if_result(lambda holds: not holds),
        stop=stop_after_delay(seconds) | stop_when_event_set(_given_up),
        wait=wait_fixed(POLL_SECONDS),
        sleep=sleep_using_event(_given_up),
    )
    try:
        poll(condition)
    except RetryError:
        raise ServiceError(f"gave up waiting for {what} (limit: {seconds:g} s)") from None


def give_up_waiting() -> None:
    """Cancel all current and future waits of this process, after Ctrl-C or an error."""
    _given_up.set()
