"""One user's clicks and checkouts at the limits of the design's rules, with answers by hand.

The oracle must agree with them (tests/unit), and the job with the oracle (tests/e2e).
"""

from dataclasses import dataclass
from itertools import chain, repeat

from reference.events import Event, make_checkout, make_click

# One of `attribution.unknown_ids`.
UNKNOWN_ID = "null"


@dataclass(frozen=True)
class Timeline:
    """One user's events in order of arrival, and the rows they must give.

    Times are in ms, relative to the timeline's zero.
    """

    reason: str
    # event_id, time, product
    clicks: list[tuple[str, int, int | None]]
    # checkout_id, time, product
    checkouts: list[tuple[str, int, int]]
    # in order of time, then product: checkout_id, touchpoints as id@time, attributed click
    expected: list[tuple[str, list[str], str | None]]
    # event types of the first of `clicks`, if they are not clicks
    other_types: tuple[str, ...] = ()

    def clickstream_events(self, user_id: int, zero_ms: int) -> list[Event]:
        """Events of the clickstream; known ids begin with the user's, so that they are unique."""
        types = chain(self.other_types, repeat("click"))
        return [
            make_click(
                _id_of(user_id, name),
                user_id,
                zero_ms + at,
                product_id=product,
                event_type=event_type,
            )
            for (name, at, product), event_type in zip(self.clicks, types, strict=False)
        ]

    def checkout_events(self, user_id: int, zero_ms: int) -> list[Event]:
        """Events of the checkouts, with ids of the same kind."""
        return [
            make_checkout(_id_of(user_id, name), user_id, zero_ms + at, product_id=product)
            for name, at, product in self.checkouts
        ]


def _id_of(user_id: int, name: str) -> str:
    return name if name == UNKNOWN_ID else f"{user_id}/{name}"


def timelines(lookback_ms: int) -> list[Timeline]:
    """Each rule of the design at its limit, for any lookback."""
    edge, out = -lookback_ms, -lookback_ms - 1
    return [
        Timeline(
            "a click exactly one lookback before the checkout counts, and is the first",
            clicks=[("a", edge, 1), ("b", -5, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", [f"a@{edge}", "b@-5"], "a")],
        ),
        Timeline(
            "a click one millisecond older than the lookback does not count",
            clicks=[("a", out, 1), ("b", -5, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["b@-5"], "b")],
        ),
        Timeline(
            "a click in the checkout's millisecond counts, one in the next does not",
            clicks=[("a", 0, 1), ("b", 1, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["a@0"], "a")],
        ),
        Timeline(
            "a checkout without clicks has a row, too",
            clicks=[],
            checkouts=[("o", 0, 1)],
            expected=[("o", [], None)],
        ),
        Timeline(
            "clicks on other products, or none, are touchpoints but earn nothing",
            clicks=[("a", -9, 2), ("b", -8, None)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["a@-9", "b@-8"], None)],
        ),
        Timeline(
            "the first click on the checkout's product earns, not the first or last of all",
            clicks=[("a", -9, 2), ("b", -8, 1), ("c", -7, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["a@-9", "b@-8", "c@-7"], "b")],
        ),
        Timeline(
            "clicks of one millisecond are ordered by id, not by arrival",
            clicks=[("c", -5, 1), ("a", -5, 2), ("b", -5, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["a@-5", "b@-5", "c@-5"], "b")],
        ),
        Timeline(
            "ids are ordered by their characters, not as numbers",
            clicks=[("9", -5, 1), ("10", -5, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["10@-5", "9@-5"], "10")],
        ),
        Timeline(
            "a click sent twice counts once, at its earliest time",
            clicks=[("a", -3, 1), ("a", -9, 1), ("b", -5, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["a@-9", "b@-5"], "a")],
        ),
        Timeline(
            "a click sent twice counts at its second time if the first is too old",
            clicks=[("a", out, 1), ("a", -3, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["a@-3"], "a")],
        ),
        Timeline(
            "repeat purchases each have a row, and may share a click",
            clicks=[("a", -9, 1)],
            checkouts=[("o", 0, 1), ("p", 0, 1), ("q", 4, 1)],
            expected=[("o", ["a@-9"], "a"), ("p", ["a@-9"], "a"), ("q", ["a@-9"], "a")],
        ),
        Timeline(
            "each line of a checkout has a row",
            clicks=[("a", -9, 1), ("b", -8, 2)],
            checkouts=[("o", 0, 1), ("o", 0, 2), ("o", 0, 3)],
            expected=[
                ("o", ["a@-9", "b@-8"], "a"),
                ("o", ["a@-9", "b@-8"], "b"),
                ("o", ["a@-9", "b@-8"], None),
            ],
        ),
        Timeline(
            "each attempt to pay has a row with the clicks before it",
            clicks=[("a", -9, 1), ("b", 9, 1)],
            checkouts=[("o", 0, 1), ("o", 10, 1), ("o", lookback_ms + 11, 1)],
            expected=[("o", ["a@-9"], "a"), ("o", ["a@-9", "b@9"], "a"), ("o", [], None)],
        ),
        Timeline(
            "a copy of an attempt gives no second row",
            clicks=[("a", -9, 1)],
            checkouts=[("o", 0, 1), ("o", 4, 1), ("o", 0, 1), ("o", 4, 1)],
            expected=[("o", ["a@-9"], "a"), ("o", ["a@-9"], "a")],
        ),
        Timeline(
            "attempts out of order each have a row",
            clicks=[("a", 2, 1)],
            checkouts=[("o", 4, 1), ("o", 0, 1)],
            expected=[("o", [], None), ("o", ["a@2"], "a")],
        ),
        Timeline(
            "a click with an unknown id is no touchpoint",
            clicks=[(UNKNOWN_ID, -9, 1), ("b", -5, 1)],
            checkouts=[("o", 0, 1)],
            expected=[("o", ["b@-5"], "b")],
        ),
        Timeline(
            "checkouts with an unknown id each have a row, and no touchpoints",
            clicks=[("a", -9, 1)],
            checkouts=[(UNKNOWN_ID, 0, 1), (UNKNOWN_ID, 4, 1), (UNKNOWN_ID, 4, 1)],
            expected=[(UNKNOWN_ID, [], None), (UNKNOWN_ID, [], None)],
        ),
        Timeline(
            "only clicks are touchpoints",
            clicks=[("a", -9, 1), ("b", -8, 1), ("c", -7, 1), ("d", -6, 1)],
            other_types=("page_view", "add_to_cart", "logout"),
            checkouts=[("o", 0, 1)],
            expected=[("o", ["d@-6"], "d")],
        ),
    ]
