"""When visitors come: a plan in, all events of the shop out, in order of event time.

Sessions begin at random (a Poisson process). Their rate varies with the hour of the day and
averages to the plan's rate. Some sessions begin before the plan's start, so that the shop is as
busy in its first second as in any other. Memory holds the sessions in progress: at most a few
thousand events, whatever the rate (see `_pace`).
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from producer.messages import Draft
from producer.plan import Plan
from producer.sessions import SessionMaker
from producer.shop import DIURNAL_SWING, Shop, diurnal_factor

# On average at most this share of the customers is in a session at the same time. If the rate
# needs more (thousands of events a second for a small shop), sessions get shorter instead.
BUSY_CUSTOMER_SHARE = 0.5
# 1,000 sessions give the mean length to within 2 %, in a tenth of a second.
SAMPLE_SESSIONS = 1_000
# Longest session as a multiple of the mean: 99.9 % of simulated sessions are shorter.
LONGEST_SESSION_FACTOR = 5


class SessionMeans(NamedTuple):
    """Average number of events and length of a session."""

    events: float
    duration_ms: float


def shop_of(plan: Plan) -> Shop:
    """Make the plan's shop."""
    return Shop(plan.seed, plan.users, plan.rate, plan.change_interval_ms)


def events(plan: Plan, shop: Shop) -> Iterator[Draft]:
    """Yield all events from the plan's start on, without end."""
    means = measure_sessions(plan, shop)
    sessions_per_ms = plan.rate * (1 - plan.duplicate_share) / means.events / 1000
    pace = _pace(plan, means, sessions_per_ms)
    maker = SessionMaker(plan, shop, pace)
    rng = random.Random(f"{plan.seed}:traffic:{plan.start_ms}")
    ordinals = count()
    pending: list[tuple[int, int, Draft]] = []  # the ordinal keeps a session's order in ties
    arrival_ms = plan.start_ms - LONGEST_SESSION_FACTOR * means.duration_ms * pace
    while True:
        while pending and pending[0][0] <= arrival_ms:
            draft = heappop(pending)[2]
            if draft.occurred_at_ms >= plan.start_ms:
                yield draft
        customer = shop.customers.customer(rng.randint(1, plan.users))
        for draft in maker.session(rng, customer, int(arrival_ms)):
            heappush(pending, (draft.occurred_at_ms, next(ordinals), draft))
        arrival_ms += rng.expovariate(sessions_per_ms * diurnal_factor(arrival_ms))


def measure_sessions(plan: Plan, shop: Shop) -> SessionMeans:
    """Mean size and length of a session with unhurried visitors."""
    maker = SessionMaker(plan, shop)
    rng = random.Random(f"{plan.seed}:measure")
    event_count, duration_ms = 0, 0
    for _ in range(SAMPLE_SESSIONS):
        customer = shop.customers.customer(rng.randint(1, plan.users))
        session = maker.session(rng, customer, 0)
        event_count += len(session)
        duration_ms += session[-1].occurred_at_ms
    return SessionMeans(event_count / SAMPLE_SESSIONS, duration_ms / SAMPLE_SESSIONS)


def _pace(plan: Plan, means: SessionMeans, sessions_per_ms: float) -> float:
    """Factor on visitors' pauses that limits the number of simultaneous sessions."""
    at_peak = sessions_per_ms * (1 + DIURNAL_SWING) * means.duration_ms
    return min(1.0, BUSY_CUSTOMER_SHARE * plan.users / at_peak)
