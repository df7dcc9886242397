"""What the way to Kafka does to messages: events in order in, messages as they are sent out.

Each event has one fate, drawn by the plan's shares of all messages:

- `in_order`: sent when it occurs;
- `out_of_order`: sent later, but less than `out_of_orderness_ms`, so it is never late;
- `duplicate`: sent in order, and the same bytes once more within `out_of_orderness_ms` (the
  first one counts as in_order);
- `late`: dated behind the newest event of its topic by `out_of_orderness_ms` and 10 s to
  30 minutes more. What really was late depends on the partition that it meets: the tables
  decide, this is what was planned;
- `malformed`: its bytes are broken; the kinds take turns.

Memory holds what is delayed: some shares of a few seconds' messages.
"""

import random
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import cycle

from producer.malformed import CHECKOUTS_KINDS, CLICKSTREAM_KINDS, break_body
from producer.messages import Draft, Fate, Message, encode_body, encode_key
from producer.plan import Plan
from producer.weighted import Weighted

# Beyond the watermark's allowance; the least is what the quietest partition may lag behind.
LATENESS_MS = (10_000, 1_800_000)


def messages_in_disorder(drafts: Iterable[Draft], plan: Plan) -> Iterator[Message]:
    """Messages in the order of sending; `sent_at_ms` never goes back."""
    way = _Way(plan)
    held: list[tuple[int, int, Message]] = []  # the ordinal makes equal moments comparable
    for ordinal, draft in enumerate(drafts):
        while held and held[0][0] <= draft.occurred_at_ms:
            yield heappop(held)[2]
        for message in way.messages(draft):
            if message.sent_at_ms > draft.occurred_at_ms:
                heappush(held, (message.sent_at_ms, ordinal, message))
            else:
                yield message


class _Way:
    """The fates of one run: draws them, and remembers what lateness refers to."""

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
        """What is sent for one event: one message, or two."""
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
        """Less than the watermark allows, so that nothing becomes late by it."""
        return self._rng.randint(1, max(1, self._bound_ms - 1))


def _fates(plan: Plan) -> Weighted[Fate]:
    """Fates of events. A duplicated event is two messages, so an event's shares are larger."""
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
