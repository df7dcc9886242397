"""Adversarial traffic: a seed in, messages in the order of sending out.

It covers the edge cases: ties, copies, exact boundaries and one millisecond off them, disorder
within and beyond the watermark's bound, every kind of malformed message, and a user with too many
clicks. The oracle computes the right answers, so the traffic may be random.
"""

import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from configuration.settings import Pipeline
from reference.events import Event, encode, make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.message_cases import YEAR_2000_MS, message_cases
from tests.support.timelines import UNKNOWN_ID, timelines

SECOND_MS = 1000
# The most random users of one span of traffic. A span's user ids are one block: first the random
# users, then those of the timelines, then the two users below.
MOST_USERS = 10_000
BLOCK = 2 * MOST_USERS
EAGER, BUSY = BLOCK - 2, BLOCK - 1
# Shared by all traffic; its events only move event time.
MARKING_USER = 3_000_000
# Shares of the random users' messages: sent after newer ones, but in time; too late; twice.
DISORDER_SHARE, LATE_SHARE, COPY_SHARE = 0.3, 0.02, 0.05
FAILED_SHARE = 0.2
UNKNOWN_SHARE = 0.05


class Sending(NamedTuple):
    """A message, and the event time at which it is sent."""

    sent_at_ms: int
    message: Outgoing


def block_of(zero_ms: int) -> int:
    """The first user id of traffic that begins at `zero_ms`; each second has its own block."""
    return zero_ms // SECOND_MS * BLOCK


def is_busy(user_id: int) -> bool:
    """Whether this is a block's user with more clicks than state may hold."""
    return user_id >= block_of(YEAR_2000_MS) and user_id % BLOCK == BUSY


class Traffic:
    """Makes the messages of one span of event time that starts at `zero_ms`.

    The seed determines the events. User ids begin at `first_user`; by default at the block of
    `zero_ms`.
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
        """Messages of all kinds, in order of sending, over a little more than two lookbacks."""
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
        """Messages of random users only; another seed gives them other journeys."""
        return _in_order(self._random_users(users))

    def clocked_journeys(self, users: int, only_user: int | None = None) -> list[Outgoing]:
        """Messages of random users, or one of them, and periodic marks on every partition.

        The marks come once per watermark bound and drive the watermark. So a message that is late
        among all users is also late if its user is alone.
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
        """The user with one checkout, and more touchpoints before it than a row shows."""
        return self._first_user + EAGER

    @property
    def busy_user(self) -> int:
        """The user with one checkout, and more clicks before it than state may hold."""
        return self._first_user + BUSY

    def _timelines(self) -> Iterator[Sending]:
        """All timelines; copies and ties are sent in the order in which they are defined."""
        # One second more than a lookback: room for a click that is 1 ms too old.
        zero_ms = self._zero_ms + self._lookback_ms + SECOND_MS
        first = self._first_user + MOST_USERS
        for user_id, timeline in enumerate(timelines(self._lookback_ms), first):
            for topic, events in (
                (self._topics.clickstream, timeline.clickstream_events(user_id, zero_ms)),
                (self._topics.checkouts, timeline.checkout_events(user_id, zero_ms)),
            ):
                sent_at_ms = 0
                for event in events:
                    sent_at_ms = max(sent_at_ms, event["occurred_at_ms"])
                    yield Sending(sent_at_ms, self._outgoing(topic, event))

    def _malformed(self) -> Iterator[Sending]:
        """Every message case of the contract, on random partitions."""
        middle_ms = self._zero_ms + self._lookback_ms
        cases = message_cases(
            self._topics, self._pipeline.contract, middle_ms, f"{self._first_user}/"
        )
        for case in cases:
            partition = self._rng.randrange(self._topics.partitions)
            yield Sending(middle_ms, Outgoing(case.topic, partition, b"7", case.value))

    def _eager_user(self) -> Iterator[Sending]:
        """More touchpoints than a row shows; the one that earns is among those not shown."""
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
        """A few checkouts, with clicks around the limits of their lookbacks.

        Uses a random generator for this user alone, so that its events do not depend on others.
        """
        self._rng = random.Random(self._seed * MOST_USERS + user_id - self._first_user)
        checkout_times_ms = [
            self._zero_ms + self._lookback_ms + self._rng.randrange(0, self._lookback_ms, 500)
            for _ in range(self._rng.randint(1, 3))
        ]
        for at_ms in checkout_times_ms:
            checkout_id = self._id_of("o", user_id, 4)
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
                        self._id_of("c", user_id, 12),
                        user_id,
                        at_ms + self._click_distance_ms(),
                        product_id=self._rng.choice([1, 2, 3, None]),
                        source=self._rng.choice(["search", "mail", None]),
                        event_type=self._rng.choice(["click", "click", "click", "page_view"]),
                    ),
                )

    def _id_of(self, kind: str, user_id: int, most: int) -> str:
        """One of a few ids, so that some repeat; now and then the id is unknown."""
        is_unknown = self._rng.random() < UNKNOWN_SHARE
        return UNKNOWN_ID if is_unknown else f"{kind}-{user_id}-{self._rng.randint(1, most)}"

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
        """Send the event at once, or late by less than the bound."""
        is_behind = self._rng.random() < DISORDER_SHARE
        behind_ms = self._rng.randrange(self._bound_ms) if is_behind else 0
        return Sending(event["occurred_at_ms"] + behind_ms, self._outgoing(topic, event))

    def _outgoing(self, topic: str, event: Event) -> Outgoing:
        return outgoing(topic, event, event["user_id"] % self._topics.partitions)


def _in_order(sendings: Iterable[Sending]) -> list[Outgoing]:
    return [sending.message for sending in sorted(sendings, key=lambda each: each.sent_at_ms)]


def outgoing(topic: str, event: Event, partition: int) -> Outgoing:
    """The event as a message, with the user as its key."""
    return Outgoing(topic, partition, b"%d" % event["user_id"], encode(event))


def page_views(pipeline: Pipeline, at_ms: int, count: int) -> list[Outgoing]:
    """Copies of a page view, which earns nothing, all on one partition of the clickstream."""
    event = make_click(f"view-{at_ms}", MARKING_USER, at_ms, event_type="page_view")
    return [outgoing(pipeline.topics.clickstream, event, 0)] * count


def marks(pipeline: Pipeline, at_ms: int) -> list[Outgoing]:
    """One valid event for every partition of both topics, to move their watermarks."""
    topics = pipeline.topics
    return [
        outgoing(
            topic, make(f"mark-{at_ms}-{partition}", MARKING_USER + partition, at_ms), partition
        )
        for topic, make in ((topics.clickstream, make_click), (topics.checkouts, make_checkout))
        for partition in range(topics.partitions)
    ]
