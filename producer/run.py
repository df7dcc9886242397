"""The main loop: send each message when it is due, write the shop's books, report progress."""

import signal
from collections.abc import Callable, Iterable
from types import FrameType

from producer.kafka_sink import KafkaSink
from producer.messages import Message
from producer.pacing import Clock, Pace, Periodic
from producer.shop import moment
from producer.shop_database import ShopDatabase, ShopDatabaseError
from producer.summary import Summary

PROGRESS_SECONDS = 10
# Least time between two writes of the books, however fast history is sent.
BOOKS_SECONDS = 1
# Longest single wait; a signal to stop takes effect after at most this long.
WAIT_SECONDS = 0.2
# Shortest wait. All messages that become due in it are sent together. At 2,000 messages/s, waiting
# for each one kept a core busy: 250 us of CPU a message, against 56 us in bursts.
BURST_SECONDS = 0.01
# Do the periodic work after this many messages: every few ms at full speed.
CHORES_EVERY = 200


class StopSignal:
    """Becomes true at SIGTERM or SIGINT, after `install` was called."""

    def __init__(self) -> None:
        self._is_stopping = False

    def __bool__(self) -> bool:
        return self._is_stopping

    def install(self) -> None:
        """Install the handler of both signals."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True


class Run:
    """One run of the producer.

    Args:
        sink: sends the messages.
        pace: says when each one is due.
        summary: counts them.
        books: the shop's database, or None to write no books.
        start_ms: event time of the first message.
        clock: returns epoch seconds.
        report: shows one line to the user.
        stop: true when the run must end.
    """

    def __init__(
        self,
        *,
        sink: KafkaSink,
        pace: Pace,
        summary: Summary,
        books: ShopDatabase | None,
        start_ms: int,
        clock: Clock,
        report: Callable[[str], None],
        stop: StopSignal,
    ) -> None:
        self._sink = sink
        self._pace = pace
        self._summary = summary
        self._books = books
        self._event_time_ms = start_ms
        self._report = report
        self._stop = stop
        self._reported_count = 0
        self._chores = (
            Periodic(PROGRESS_SECONDS, clock, self._show_progress),
            Periodic(BOOKS_SECONDS, clock, self._write_books),
        )

    def send(self, messages: Iterable[Message]) -> None:
        """Send messages until they end or the run is stopped; then wait for their delivery.

        Raises:
            KafkaSinkError: Kafka permanently refuses this producer.
        """
        try:
            for message in messages:
                if not self._send(message):
                    break
                if self._summary.message_count % CHORES_EVERY == 0:
                    self._do_chores(0)
            self._write_books()
        finally:
            self._sink.close()

    def _send(self, message: Message) -> bool:
        """Send one message when it is due; false if the run is stopped first."""
        while not self._stop:
            wait_seconds = self._pace.wait_seconds(message.sent_at_ms)
            if wait_seconds > 0:
                self._do_chores(min(max(wait_seconds, BURST_SECONDS), WAIT_SECONDS))
            elif self._sink.offer(message):
                self._summary.count(message)
                self._event_time_ms = message.sent_at_ms
                return True
            else:
                self._do_chores(WAIT_SECONDS)
        return False

    def _do_chores(self, wait_seconds: float) -> None:
        self._sink.serve(wait_seconds)
        for chore in self._chores:
            chore.run_if_due()

    def _write_books(self) -> None:
        """Update the database to the current event time; report a failure and retry later."""
        if self._books is None:
            return
        try:
            self._books.write(self._event_time_ms)
        except ShopDatabaseError as error:
            self._report(f"could not write the shop's database, will retry: {error}")

    def _show_progress(self) -> None:
        count = self._summary.message_count
        rate = (count - self._reported_count) / PROGRESS_SECONDS
        self._reported_count = count
        errors = self._sink.errors.total()
        self._report(
            f"sent {count:,} messages ({rate:,.0f}/s), {errors:,} delivery errors,"
            f" event time {moment(self._event_time_ms):%Y-%m-%d %H:%M:%S} UTC"
        )
