"""The loop: messages in, to Kafka at their time; the shop's books and reports beside it."""

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
# The books are written at most this often, however fast history is.
BOOKS_SECONDS = 1
# Longest wait in one piece: what a signal to stop has to wait for.
WAIT_SECONDS = 0.2
# Shortest wait: what is due within it is sent together; waiting for each of 2,000 messages a
# second by itself spun on the core (250 us of CPU a message; in bursts 56).
BURST_SECONDS = 0.01
# Messages between two looks at what else is to be done; a few ms at full speed.
CHORES_EVERY = 200


class StopSignal:
    """Becomes true at SIGTERM or SIGINT, once `install` was called."""

    def __init__(self) -> None:
        self._is_stopping = False

    def __bool__(self) -> bool:
        return self._is_stopping

    def install(self) -> None:
        """Take over both signals."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True


class Run:
    """One run of the producer.

    Args:
        sink: takes the messages.
        pace: tells when.
        summary: counts them.
        books: the shop's database, None to do without.
        start_ms: event time of the beginning.
        clock: tells epoch seconds.
        report: shows one line to the user.
        stop: true when the run is to end.
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
        """Send all messages, or as many as there are before the stop; then deliver them.

        Raises:
            KafkaSinkError: Kafka refuses this producer for good.
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
        """Send one message when it is due; false if the run was stopped before."""
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
        """Bring the database to the events' time; a failure is shown, and made up for later."""
        if self._books is None:
            return
        try:
            self._books.write(self._event_time_ms)
        except ShopDatabaseError as error:
            self._report(f"shop database not written, will be tried again: {error}")

    def _show_progress(self) -> None:
        count = self._summary.message_count
        rate = (count - self._reported_count) / PROGRESS_SECONDS
        self._reported_count = count
        errors = self._sink.errors.total()
        self._report(
            f"sent {count:,} messages ({rate:,.0f}/s), {errors:,} delivery errors,"
            f" event time {moment(self._event_time_ms):%Y-%m-%d %H:%M:%S} UTC"
        )
