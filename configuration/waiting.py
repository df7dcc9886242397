"""Wait for a condition with a deadline; all waits of the process can be cancelled."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_fixed,
)

from configuration.errors import ServiceError

POLL_SECONDS = 0.25
Answer = TypeVar("Answer")
_given_up = threading.Event()


def poll(
    ask: Callable[[], Answer],
    is_wanted: Callable[[Answer], bool],
    seconds: float,
    every_seconds: float = POLL_SECONDS,
) -> Answer:
    """Ask again and again until the answer is the wanted one.

    Args:
        ask: what it raises ends the poll.
        is_wanted: whether an answer is the wanted one.
        seconds: deadline.
        every_seconds: pause between two questions.

    Returns:
        The last answer. At the deadline, or after `give_up_waiting`, it is not the wanted one.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda answer: not is_wanted(answer)),
        stop=stop_after_delay(seconds) | stop_when_event_set(_given_up),
        wait=wait_fixed(every_seconds),
        sleep=sleep_using_event(_given_up),
        retry_error_callback=_last_answer,
    )
    return retrying(ask)


def _last_answer(state: RetryCallState) -> Any:
    assert state.outcome
    return state.outcome.result()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `condition` holds.

    Args:
        condition: is polled every `POLL_SECONDS`.
        seconds: deadline.
        what: what the wait is for, named in the error.

    Raises:
        ServiceError: the condition does not hold within `seconds`, or `give_up_waiting` was called.
    """
    if not poll(condition, bool, seconds):
        raise ServiceError(f"gave up waiting for {what} (limit: {seconds:g} s)")


def give_up_waiting() -> None:
    """Cancel all current and future waits of this process, after Ctrl-C or an error."""
    _given_up.set()
