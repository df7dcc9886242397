"""The planted truth: checkouts in, a line each into a file that nothing else in the lakehouse sees.

A line is a JSON object: `checkout_id`, `occurred_at_ms`, and of the click that put the product into
the cart `click_id`, `source` and `causal_weight`, how often clicks of that source do so against the
mean. Checkouts of customers who came directly have none. A late checkout's line holds the time at
which it really happened; one whose message was broken, or no longer sent, is in no table.
"""

from typing import BinaryIO

import orjson

from producer.catalogue import CAUSAL_WEIGHTS
from producer.messages import Draft


class TruthFile:
    """Writes the lines; `note` is for `generate_messages`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def note(self, draft: Draft) -> None:
        """Write the line of a checkout that a click caused."""
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
