"""Waiting for a condition: a deadline that names what was waited for, cut short at will."""

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

    Raises:
        ServiceError: it did not within `seconds`, or all waiting was given up; names `what`.
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
        raise ServiceError(f"waited {seconds:g} s in vain for {what}") from None


def give_up_waiting() -> None:
    """End every wait of this process, now and to come: the user, or an error, ended the work."""
    _given_up.set()
