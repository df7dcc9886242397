"""Disorder on the way to Kafka: events in order of event time in, messages in order of sending out.

Each event gets one fate, drawn so that the plan's shares of all messages result:

- `in_order`: sent when it occurs;
- `out_of_order`: sent later, but less than `out_of_orderness_ms`, so it is never late;
- `duplicate`: sent in order, and the same bytes again within `out_of_orderness_ms` (the first
  one counts as in_order);
- `late`: dated behind the newest event of its topic, by `out_of_orderness_ms` plus 10 s to
  30 minutes. This is only planned: whether the job finds it late depends on its partition, so
  the tables decide;
- `malformed`: its bytes are broken; the kinds take turns.

Memory holds only the delayed messages: a small share of a few seconds' messages.
"""

import random
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import cycle

from producer.malformed import CHECKOUTS_KINDS, CLICKSTREAM_KINDS, break_body
from producer.messages import Draft, Fate, Message, encode_body, encode_key
from producer.plan import Plan
from producer.weighted import Weighted

# Range of the extra delay beyond the watermark's bound. The minimum must exceed the lag of the
# quietest partition, or the message would not be late.
LATENESS_MS = (10_000, 1_800_000)


def messages_in_disorder(drafts: Iterable[Draft], plan: Plan) -> Iterator[Message]:
    """Yield messages in the order of sending; `sent_at_ms` never decreases."""
    way = _Way(plan)
    held: list[tuple[int, int, Message]] = []  # the ordinal breaks ties between equal times
    for ordinal, draft in enumerate(drafts):
        while held and held[0][0] <= draft.occurred_at_ms:
            yield heappop(held)[2]
        for message in way.messages(draft):
            if message.sent_at_ms > draft.occurred_at_ms:
                heappush(held, (message.sent_at_ms, ordinal, message))
            else:
                yield message


class _Way:
    """Draws each event's fate; remembers each topic's newest event time, to date late ones."""

    def __init__(self, plan: Plan) -> None:
        self._rng = random.Random(f"{plan.seed}:disorder:{plan.start_ms}")
        self._bound_ms = plan.out_of_orderness_ms
        self._fates = _fates(plan)
        self._newest_ms: dict[str, int] = {}
        self._kinds = {
            plan.clickstream_topic: cycle(CLICKSTREAM_KINDS),
            plan.checkouts_topic: cycle(CHECKOUTS_KINDS),
        }

    def messages(self, draft: Draft) -> list[Message]:
        """The messages sent for one event: one, or two for a duplicate."""
        fate = self._fates.draw(self._rng)
        if fate is Fate.MALFORMED:
            return [self._malformed(draft)]
        newest_ms = self._newest_ms.get(draft.topic)
        if fate is Fate.LATE and newest_ms is not None:
            return [self._late(draft, newest_ms)]
        if fate is Fate.OUT_OF_ORDER and self._bound_ms > 1:
            return [_message(draft, Fate.OUT_OF_ORDER, self._delay_ms())]
        self._newest_ms[draft.topic] = draft.occurred_at_ms
        message = _message(draft, Fate.IN_ORDER)
        if fate is Fate.DUPLICATE:
            sent_at_ms = draft.occurred_at_ms + self._delay_ms()
            return [message, message._replace(sent_at_ms=sent_at_ms, fate=Fate.DUPLICATE)]
        return [message]

    def _late(self, draft: Draft, newest_ms: int) -> Message:
        behind_ms = self._bound_ms + self._rng.randint(*LATENESS_MS)
        body = draft.body.copy()
        body["occurred_at_ms"] = newest_ms - behind_ms
        return _message(draft._replace(body=body), Fate.LATE)

    def _malformed(self, draft: Draft) -> Message:
        kind = next(self._kinds[draft.topic])
        value = break_body(kind, draft.body)
        key = encode_key(draft.body)
        return Message(draft.occurred_at_ms, draft.topic, key, value, Fate.MALFORMED, kind)

    def _delay_ms(self) -> int:
        """A delay below the watermark's bound, so that it makes no message late."""
        return self._rng.randint(1, max(1, self._bound_ms - 1))


def _fates(plan: Plan) -> Weighted[Fate]:
    """Turn shares of messages into shares of events.

    A duplicated event is two messages, so there are fewer events than messages, and the shares
    are larger.
    """
    shares = {
        Fate.OUT_OF_ORDER: plan.out_of_order_share,
        Fate.LATE: plan.late_share,
        Fate.MALFORMED: plan.malformed_share,
        Fate.DUPLICATE: plan.duplicate_share,
    }
    per_event = {fate: share / (1 - plan.duplicate_share) for fate, share in shares.items()}
    return Weighted({Fate.IN_ORDER: 1 - sum(per_event.values()), **per_event})


def _message(draft: Draft, fate: Fate, delay_ms: int = 0) -> Message:
    value = encode_body(draft.body)
    sent_at_ms = draft.occurred_at_ms + delay_ms
    return Message(sent_at_ms, draft.topic, encode_key(draft.body), value, fate, "")
