"""The models' input: journeys counted by path."""

from collections.abc import Sequence
from typing import NamedTuple


class Path(NamedTuple):
    """All journeys with the same sequence of sources.

    Attributes:
        sources: the sources of the journey's clicks, in order; at least one.
        journey_count: how many journeys took this path; at least one.
        conversion_count: how many of them ended in a paid checkout.
    """

    sources: tuple[str, ...]
    journey_count: int
    conversion_count: int


def count_conversions(paths: Sequence[Path]) -> int:
    """Number of journeys that ended in a paid checkout."""
    return sum(path.conversion_count for path in paths)


def count_journeys(paths: Sequence[Path]) -> int:
    """Number of journeys, whether or not they ended in a paid checkout."""
    return sum(path.journey_count for path in paths)


def with_all_converted(paths: Sequence[Path]) -> list[Path]:
    """The same journeys, as if each had ended in a paid checkout."""
    return [path._replace(conversion_count=path.journey_count) for path in paths]
