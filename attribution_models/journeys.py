"""Journeys as the models learn from them: counted by path."""

from collections.abc import Sequence
from typing import NamedTuple


class Path(NamedTuple):
    """All journeys that led over the same sources.

    Attributes:
        sources: of the journey's clicks, in order; one at least.
        journey_count: journeys along it, one at least.
        conversion_count: those of them that ended in a paid checkout.
    """

    sources: tuple[str, ...]
    journey_count: int
    conversion_count: int


def count_conversions(paths: Sequence[Path]) -> int:
    """Journeys that ended in a paid checkout."""
    return sum(path.conversion_count for path in paths)


def count_journeys(paths: Sequence[Path]) -> int:
    """Journeys, whatever they ended in."""
    return sum(path.journey_count for path in paths)


def with_all_converted(paths: Sequence[Path]) -> list[Path]:
    """The same journeys, had each ended in a paid checkout."""
    return [path._replace(conversion_count=path.journey_count) for path in paths]
