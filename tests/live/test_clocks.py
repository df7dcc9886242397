"""A sender whose clock is ahead pays for it alone."""

import time
from collections.abc import Iterator

from reference.events import make_checkout, make_click
from reference.kafka import Outgoing
from tests.support.lake import Lake
from tests.support.traffic import SECOND_MS, outgoing

AHEAD_MS = 20 * SECOND_MS
USERS = 100


def test_sender_whose_clock_is_ahead_makes_no_other_message_late(lake: Lake) -> None:
    lake.wake()
    lake.kafka.send(events_ahead(lake, int(time.time() * SECOND_MS) + AHEAD_MS))
    lake.wake()  # the job has read them
    # Dated after that, because the broker's clock has moved the watermark meanwhile.
    lake.kafka.send(honest_events(lake, int(time.time() * SECOND_MS)))
    lake.close()
    snapshot = lake.read()
    assert snapshot.late == set()
    snapshot.check()
    answered = {row.checkout_id for row in snapshot.attributed}
    assert answered >= {f"ahead {lake.zero_ms} 0", f"honest {lake.zero_ms} {USERS - 1}"}


def events_ahead(lake: Lake, at_ms: int) -> Iterator[Outgoing]:
    """An event in each partition, because the watermark is that of the slowest one."""
    for partition in range(lake.topics.partitions):
        user_id = lake.zero_ms + partition
        click = make_click(f"ahead {user_id}", user_id, at_ms, event_type="page_view")
        yield outgoing(lake.topics.clickstream, click, partition)
        checkout = make_checkout(f"ahead {lake.zero_ms} {partition}", user_id, at_ms)
        yield outgoing(lake.topics.checkouts, checkout, partition)


def honest_events(lake: Lake, now_ms: int) -> Iterator[Outgoing]:
    """A click and a checkout of each user."""
    for user in range(USERS):
        user_id = lake.zero_ms + user
        partition = user % lake.topics.partitions
        click = make_click(f"click {user_id}", user_id, now_ms - SECOND_MS)
        yield outgoing(lake.topics.clickstream, click, partition)
        checkout = make_checkout(f"honest {lake.zero_ms} {user}", user_id, now_ms)
        yield outgoing(lake.topics.checkouts, checkout, partition)
