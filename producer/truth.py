"""The planted truth: writes each checkout's cause to a file that nothing in the lakehouse reads.

A line is a JSON object: `checkout_id`, `occurred_at_ms`, and the click that put the product into
the cart: `click_id`, `source` and `causal_weight` (how often that source's clicks do so, as a
factor on the average). Checkouts of customers who came directly have no line. A late checkout's
line has the time at which it really happened. The file may name checkouts that are in no table,
because their message was broken or never sent.
"""

from typing import BinaryIO

import orjson

from producer.catalogue import CAUSAL_WEIGHTS
from producer.messages import Draft


class TruthFile:
    """Writes the lines; pass its `note` to `generate_messages`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def note(self, draft: Draft) -> None:
        """Write a line if the event is a checkout that a click caused."""
        if draft.cause is None:
            return
        source = draft.cause["source"] or ""
        line = {
            "checkout_id": draft.body["checkout_id"],  # type: ignore[typeddict-item]
            "occurred_at_ms": draft.occurred_at_ms,
            "click_id": draft.cause["event_id"],
            "source": source,
            "causal_weight": CAUSAL_WEIGHTS[source],
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
