"""Adversarial traffic: a seed in, messages in the order of sending out.

Made for the edges: ties, copies, exact boundaries and one millisecond beside them, disorder
within the watermark's bound and beyond it, everything malformed, and a user who never stops
clicking. What is right for it the oracle says, so it may be as random as it likes.
"""

import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from configuration.settings import Pipeline
from reference.events import Event, encode, make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.message_cases import YEAR_2000_MS, message_cases
from tests.support.timelines import timelines

SECOND_MS = 1000
# Users that one span of traffic may have. Their ids are one block: random ones first, then those
# of the timelines, then the two below.
MOST_USERS = 10_000
BLOCK = 2 * MOST_USERS
EAGER, BUSY = BLOCK - 2, BLOCK - 1
# Everybody's: its events only move event time.
MARKING_USER = 3_000_000
# Of the random users' messages: sent behind newer ones, but in time; too late; twice.
DISORDER_SHARE, LATE_SHARE, COPY_SHARE = 0.3, 0.02, 0.05
FAILED_SHARE = 0.2


class Sending(NamedTuple):
    """A message, and the moment in event time at which it leaves."""

    sent_at_ms: int
    message: Outgoing


def block_of(zero_ms: int) -> int:
    """The first user id of traffic that begins then; no two seconds share a block."""
    return zero_ms // SECOND_MS * BLOCK


def is_busy(user_id: int) -> bool:
    """Whether it is the user of a block who clicks more often than state may hold."""
    return user_id >= block_of(YEAR_2000_MS) and user_id % BLOCK == BUSY


class Traffic:
    """Makes the messages of one span of event time that starts at `zero_ms`.

    The seed says what happens, `first_user` to whom: the block of that second where none is given.
    """

    def __init__(
        self, pipeline: Pipeline, seed: int, zero_ms: int, first_user: int | None = None
    ) -> None:
        self._pipeline = pipeline
        self._topics = pipeline.topics
        self._seed = seed
        self._first_user = block_of(zero_ms) if first_user is None else first_user
        self._rng = random.Random(seed)
        self._zero_ms = zero_ms
        self._lookback_ms = pipeline.attribution.lookback_seconds * SECOND_MS
        self._bound_ms = pipeline.watermark.out_of_orderness_seconds * SECOND_MS

    def messages(self, users: int) -> list[Outgoing]:
        """All kinds, in the order of sending, over a little more than two lookbacks."""
        return _in_order(
            [
                *self._timelines(),
                *self._malformed(),
                *self._eager_user(),
                *self._busy_user(),
                *self._random_users(users),
            ]
        )

    def journeys(self, users: int) -> list[Outgoing]:
        """Random users alone; of another seed they are other people."""
        return _in_order(self._random_users(users))

    def clocked_journeys(self, users: int, only_user: int | None = None) -> list[Outgoing]:
        """Random users, or one of them, and a mark on every partition each bound.

        The marks are the clock: what is late beside all users is late without them.
        """
        ids = self._user_ids(users) if only_user is None else [only_user]
        span_ms = 2 * self._lookback_ms + self._bound_ms
        ticks = range(self._zero_ms, self._zero_ms + span_ms, self._bound_ms)
        clock = [Sending(at, mark) for at in ticks for mark in marks(self._pipeline, at)]
        return _in_order([*clock, *(each for id_ in ids for each in self._random_user(id_))])

    def _random_users(self, users: int) -> Iterator[Sending]:
        for user_id in self._user_ids(users):
            yield from self._random_user(user_id)

    def _user_ids(self, users: int) -> range:
        assert users <= MOST_USERS
        return range(self._first_user, self._first_user + users)

    @property
    def eager_user(self) -> int:
        """Who has one checkout, and more touchpoints before it than a row shows."""
        return self._first_user + EAGER

    @property
    def busy_user(self) -> int:
        """Who has one checkout, and more clicks before it than state may hold."""
        return self._first_user + BUSY

    def _timelines(self) -> Iterator[Sending]:
        """As worked out by hand; copies and ties keep the order in which they are written."""
        zero_ms = self._zero_ms + self._lookback_ms + SECOND_MS  # room for one ms before
        first = self._first_user + MOST_USERS
        for user_id, timeline in enumerate(timelines(self._lookback_ms), first):
            if timeline.uses_an_id_again:  # the marts count it as one
                continue
            for topic, events in (
                (self._topics.clickstream, timeline.clickstream_events(user_id, zero_ms)),
                (self._topics.checkouts, timeline.checkout_events(user_id, zero_ms)),
            ):
                sent_at_ms = 0
                for event in events:
                    sent_at_ms = max(sent_at_ms, event["occurred_at_ms"])
                    yield Sending(sent_at_ms, self._outgoing(topic, event))

    def _malformed(self) -> Iterator[Sending]:
        """Every case of the contract, spread among the others."""
        middle_ms = self._zero_ms + self._lookback_ms
        cases = message_cases(
            self._topics, self._pipeline.contract, middle_ms, f"{self._first_user}/"
        )
        for case in cases:
            partition = self._rng.randrange(self._topics.partitions)
            yield Sending(middle_ms, Outgoing(case.topic, partition, b"7", case.value))

    def _eager_user(self) -> Iterator[Sending]:
        """More touchpoints than a row shows, the one that earns among those it does not."""
        clicks = self._pipeline.attribution.max_touchpoints + 7
        start_ms = self._zero_ms + self._lookback_ms
        for number in range(clicks):
            at_ms = start_ms + number * SECOND_MS
            click = make_click(
                f"{self.eager_user}/{number}", self.eager_user, at_ms, product_id=number
            )
            yield self._on_time(self._topics.clickstream, click)
        at_ms = start_ms + clicks * SECOND_MS
        checkout = make_checkout(
            f"{self.eager_user}/o", self.eager_user, at_ms, product_id=clicks // 2
        )
        yield self._on_time(self._topics.checkouts, checkout)

    def _busy_user(self) -> Iterator[Sending]:
        """More clicks before a checkout than state may hold."""
        clicks = self._pipeline.attribution.max_clicks_per_user + 1
        start_ms = self._zero_ms + self._lookback_ms
        for number in range(clicks):
            click = make_click(f"{self.busy_user}/{number}", self.busy_user, start_ms + number)
            yield self._on_time(self._topics.clickstream, click)
        checkout = make_checkout(f"{self.busy_user}/o", self.busy_user, start_ms + clicks)
        yield self._on_time(self._topics.checkouts, checkout)

    def _random_user(self, user_id: int) -> Iterator[Sending]:
        """Clicks around the edges of the lookbacks of a few checkouts, of a dice of their own."""
        self._rng = random.Random(self._seed * MOST_USERS + user_id - self._first_user)
        checkout_times_ms = [
            self._zero_ms + self._lookback_ms + self._rng.randrange(0, self._lookback_ms, 500)
            for _ in range(self._rng.randint(1, 3))
        ]
        for at_ms in checkout_times_ms:
            checkout_id = f"o-{user_id}-{self._rng.randint(1, 4)}"
            has_failed = self._rng.random() < FAILED_SHARE
            yield from self._send(
                self._topics.checkouts,
                make_checkout(
                    checkout_id,
                    user_id,
                    at_ms,
                    payment_method=self._rng.choice(self._pipeline.contract.payment_methods),
                    payment_status="failed" if has_failed else "succeeded",
                    failure_reason=self._rng.choice(["expired", None]) if has_failed else None,
                    product_id=self._rng.randint(1, 3),
                    quantity=self._rng.randint(1, 5),
                    unit_price_usd=self._rng.randrange(100_000) / 100,
                    discount_share=self._rng.randrange(5000) / 10_000,
                ),
            )
            for _ in range(self._rng.randint(0, 6)):
                yield from self._send(
                    self._topics.clickstream,
                    make_click(
                        f"c-{user_id}-{self._rng.randint(1, 12)}",
                        user_id,
                        at_ms + self._click_distance_ms(),
                        product_id=self._rng.choice([1, 2, 3, None]),
                        source=self._rng.choice(["search", "mail", None]),
                        event_type=self._rng.choice(["click", "click", "click", "page_view"]),
                    ),
                )

    def _click_distance_ms(self) -> int:
        edge_ms = self._rng.choice([-self._lookback_ms, 0])
        return self._rng.choice(
            [edge_ms - 1, edge_ms, edge_ms + 1, -self._rng.randrange(0, self._lookback_ms, 500)]
        )

    def _send(self, topic: str, event: Event) -> Iterator[Sending]:
        on_time = self._on_time(topic, event)
        fate = self._rng.random()
        if fate < LATE_SHARE:
            behind_ms = self._bound_ms + self._rng.randrange(self._lookback_ms)
            yield on_time._replace(sent_at_ms=on_time.sent_at_ms + behind_ms)
        else:
            yield on_time
        if fate > 1 - COPY_SHARE:
            yield self._on_time(topic, event)

    def _on_time(self, topic: str, event: Event) -> Sending:
        """Less than the bound behind, if at all."""
        is_behind = self._rng.random() < DISORDER_SHARE
        behind_ms = self._rng.randrange(self._bound_ms) if is_behind else 0
        return Sending(event["occurred_at_ms"] + behind_ms, self._outgoing(topic, event))

    def _outgoing(self, topic: str, event: Event) -> Outgoing:
        return outgoing(topic, event, event["user_id"] % self._topics.partitions)


def _in_order(sendings: Iterable[Sending]) -> list[Outgoing]:
    return [sending.message for sending in sorted(sendings, key=lambda each: each.sent_at_ms)]


def outgoing(topic: str, event: Event, partition: int) -> Outgoing:
    """The event on its way, keyed by its user."""
    return Outgoing(topic, partition, b"%d" % event["user_id"], encode(event))


def page_views(pipeline: Pipeline, at_ms: int, count: int) -> list[Outgoing]:
    """Copies of an event that earns nothing, all on one partition of the clickstream."""
    event = make_click(f"view-{at_ms}", MARKING_USER, at_ms, event_type="page_view")
    return [outgoing(pipeline.topics.clickstream, event, 0)] * count


def marks(pipeline: Pipeline, at_ms: int) -> list[Outgoing]:
    """An ordinary event on every partition of both topics, which moves their watermarks."""
    topics = pipeline.topics
    return [
        outgoing(
            topic, make(f"mark-{at_ms}-{partition}", MARKING_USER + partition, at_ms), partition
        )
        for topic, make in ((topics.clickstream, make_click), (topics.checkouts, make_checkout))
        for partition in range(topics.partitions)
    ]
