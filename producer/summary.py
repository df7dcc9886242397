"""The producer's count of sent messages: messages in, one JSON object out.

Per topic: `messages` = `valid_distinct` + `duplicates` + all of `malformed`. `valid_distinct`
includes `late` (as planned) and `out_of_order`. `delivery_errors` counts the messages among all
these that Kafka did not accept.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from producer.messages import Fate, Message
from producer.plan import Plan


class Summary:
    """Counts of one run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._counts: Counter[tuple[str, Fate, str]] = Counter()
        self.message_count = 0

    def count(self, message: Message) -> None:
        """Count one message that Kafka's client accepted."""
        self._counts[message.topic, message.fate, message.malformed_kind] += 1
        self.message_count += 1

    def as_object(self, delivery_errors: Mapping[str, int]) -> dict[str, Any]:
        """The summary as an object to write as JSON.

        Args:
            delivery_errors: number of undelivered messages, by reason.
        """
        plan = self._plan
        return {
            "seed": plan.seed,
            "start": datetime.fromtimestamp(plan.start_ms / 1000, UTC).isoformat(),
            "messages": self.message_count,
            "delivery_errors": dict(delivery_errors),
            "topics": {
                topic: self._topic(topic)
                for topic in (plan.clickstream_topic, plan.checkouts_topic)
            },
        }

    def _topic(self, topic: str) -> dict[str, Any]:
        fates = {fate: self._total(topic, fate) for fate in Fate}
        return {
            "messages": sum(fates.values()),
            "valid_distinct": fates[Fate.IN_ORDER] + fates[Fate.OUT_OF_ORDER] + fates[Fate.LATE],
            "out_of_order": fates[Fate.OUT_OF_ORDER],
            "late": fates[Fate.LATE],
            "duplicates": fates[Fate.DUPLICATE],
            "malformed": {
                kind: number
                for (name, fate, kind), number in sorted(self._counts.items())
                if name == topic and fate is Fate.MALFORMED
            },
        }

    def _total(self, topic: str, fate: Fate) -> int:
        return sum(
            number
            for (name, each, _), number in self._counts.items()
            if (name, each) == (topic, fate)
        )
