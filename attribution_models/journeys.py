"""The models' input: the moves of all journeys from one source to the next."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Move(NamedTuple):
    """All moves from the source of a click to the source of the journey's next click.

    Attributes:
        source: the source that the journeys leave; None before their first click.
        next_source: the source that they reach; None after their last click.
        journey_count: how often a journey makes this move.
        conversion_count: how many of them end in a paid checkout; 0 unless the journey ends here.
    """

    source: str | None
    next_source: str | None
    journey_count: int
    conversion_count: int


def count_conversions(moves: Iterable[Move]) -> int:
    """Number of journeys that ended in a paid checkout."""
    return sum(move.conversion_count for move in moves)


def count_journeys(moves: Iterable[Move]) -> int:
    """Number of journeys, whether or not they ended in a paid checkout."""
    return sum(move.journey_count for move in moves if move.next_source is None)


def with_all_converted(moves: Sequence[Move]) -> list[Move]:
    """The same journeys, as if each had ended in a paid checkout."""
    return [
        move._replace(conversion_count=move.journey_count if move.next_source is None else 0)
        for move in moves
    ]
