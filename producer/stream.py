"""The whole shop as one iterator: a plan in, messages out; no clock, no I/O.

Equal plans give equal messages, byte for byte and in equal order. Memory does not grow with
the number of messages.
"""

from collections.abc import Callable, Iterable, Iterator

from producer.disorder import messages_in_disorder
from producer.messages import Draft, Message
from producer.plan import Plan
from producer.shop import Shop
from producer.traffic import events, shop_of


def generate_messages(
    plan: Plan, shop: Shop | None = None, note: Callable[[Draft], None] | None = None
) -> Iterator[Message]:
    """Yield the plan's messages in the order of sending, without end (limit them with `islice`).

    Args:
        plan: what to produce.
        shop: the plan's shop if the caller has one; otherwise it is created.
        note: called with each event before its message is delayed, copied or broken.
    """
    drafts = events(plan, shop or shop_of(plan))
    return messages_in_disorder(_noted(drafts, note) if note else drafts, plan)


def _noted(drafts: Iterable[Draft], note: Callable[[Draft], None]) -> Iterator[Draft]:
    for draft in drafts:
        note(draft)
        yield draft
