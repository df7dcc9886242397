"""Markov and Shapley against results computed by hand."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from attribution_models.chain import Chain, Numbers
from attribution_models.journeys import Move, count_conversions, count_journeys
from attribution_models.learning import CLICKS_AT_ONCE, SLICES, divide, weigh_sources
from attribution_models.markov import share_by_removal
from attribution_models.shapley import share_by_shapley

Share = Callable[[Chain], Numbers]


class Path(NamedTuple):
    """Journeys with the same sequence of sources, and how many of them convert."""

    sources: tuple[str, ...]
    journey_count: int
    conversion_count: int


def moves_of(paths: Sequence[Path]) -> list[Move]:
    """The moves of all journeys along these paths."""
    return [
        Move(source, next_source, path.journey_count, 0 if next_source else path.conversion_count)
        for path in paths
        for source, next_source in zip((None, *path.sources), (*path.sources, None), strict=True)
    ]


SHARES = [share_by_removal, share_by_shapley]

# Eight journeys: two go a-b, and both convert; two are only a, and one converts; four are only b,
# and one converts. After the four clicks on a, two journeys go on to b, one converts, one is lost.
# After the six clicks on b, three convert.
#   p(b) = 3/6 = 1/2; p(a) = 1/4 + 2/4 p(b) = 1/2; all: 4/8 p(a) + 4/8 p(b) = 1/2
#   a alone: 4/8 x 1/4 = 1/8; b alone: 4/8 x 1/2 = 1/4; neither: 0
# Removal effects: a 1/2 - 1/4 = 1/4, b 1/2 - 1/8 = 3/8. So the shares are 2/5 and 3/5.
# Shapley: a joins first or second, with equal weight: (1/8 + (1/2 - 1/4)) / 2 = 3/16. For b:
# (1/4 + 3/8) / 2 = 5/16. So the shares are 3/8 and 5/8.
TWO_SOURCES = [Path(("a", "b"), 2, 2), Path(("a",), 2, 1), Path(("b",), 4, 1)]

# Ten journeys with one source each; 4 of 5, 1 of 3 and 1 of 2 convert. Sources do not interact, so
# in both models each is worth its own conversions: 4, 1 and 1 of 6.
APART = [Path(("a",), 5, 4), Path(("b",), 3, 1), Path(("c",), 2, 1)]

# Every journey goes a-b-c, and every second one converts. If any source is removed, nothing
# converts. So all removal effects are 1/2 and the shares 1/3. By symmetry Shapley's are 1/3 too.
IN_A_ROW = [Path(("a", "b", "c"), 6, 3)]


def shares(paths: Sequence[Path], share: Share) -> dict[str, float]:
    chain = Chain(moves_of(paths))
    return dict(zip(chain.sources, share(chain).tolist(), strict=True))


def random_paths(rng: random.Random, sources: int) -> list[Path]:
    paths = []
    for _ in range(rng.randint(1, 30)):
        names = tuple(f"s{rng.randrange(sources)}" for _ in range(rng.randint(1, 6)))
        journeys = rng.randint(1, 50)
        paths.append(Path(names, journeys, rng.randint(0, journeys)))
    return paths


@pytest.mark.parametrize(
    ("paths", "share", "expected"),
    [
        (TWO_SOURCES, share_by_removal, {"a": 2 / 5, "b": 3 / 5}),
        (TWO_SOURCES, share_by_shapley, {"a": 3 / 8, "b": 5 / 8}),
        (APART, share_by_removal, {"a": 4 / 6, "b": 1 / 6, "c": 1 / 6}),
        (APART, share_by_shapley, {"a": 4 / 6, "b": 1 / 6, "c": 1 / 6}),
        (IN_A_ROW, share_by_removal, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        (IN_A_ROW, share_by_shapley, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
    ],
)
def test_shares_equal_those_computed_by_hand(
    paths: list[Path], share: Share, expected: dict[str, float]
) -> None:
    assert shares(paths, share) == pytest.approx(expected, abs=1e-12)


def test_probabilities_of_coalitions_equal_those_computed_by_hand() -> None:
    coalitions = np.array([[False, False], [True, False], [False, True], [True, True]])
    found = Chain(moves_of(TWO_SOURCES)).conversion_probabilities(coalitions)
    assert found.tolist() == pytest.approx([0, 1 / 8, 1 / 4, 1 / 2], abs=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_source_of_every_journey_has_the_largest_possible_effect(share: Share) -> None:
    """`a` begins each journey: without it nothing converts, so its effect is the maximum, 1/2.

    p(b) = 1 and p(a) = 1/2 p(b). Without b nothing converts either, because a alone never does.
    """
    paths = [Path(("a", "b"), 1, 1), Path(("a",), 1, 0)]
    assert shares(paths, share) == pytest.approx({"a": 1 / 2, "b": 1 / 2}, abs=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_all_shares_are_zero_when_nothing_converts(share: Share) -> None:
    assert shares([Path(("a", "b"), 3, 0)], share) == {"a": 0, "b": 0}


@pytest.mark.parametrize("share", SHARES)
def test_the_only_source_gets_everything(share: Share) -> None:
    assert shares([Path(("a",), 1, 1)], share) == {"a": 1}


@pytest.mark.parametrize("share", SHARES)
def test_repeated_clicks_of_a_source_change_no_share(share: Share) -> None:
    """A loop has no effect: p(a) = 99/100 p(a) + 1/100 x (what follows)."""
    loops = [Path(("a",) * 100, 5, 4), Path(("b",), 3, 1), Path(("c",) * 7, 2, 1)]
    assert shares(loops, share) == pytest.approx(shares(APART, share), abs=1e-9)


@pytest.mark.parametrize("share", SHARES)
def test_shares_of_random_paths_add_up_to_one_and_are_never_negative(share: Share) -> None:
    rng = random.Random(7)
    for _ in range(100):
        paths = random_paths(rng, sources=6)
        found = shares(paths, share)
        assert min(found.values()) >= 0
        converts = float(any(path.conversion_count for path in paths))
        assert sum(found.values()) == pytest.approx(converts, abs=1e-9)


def test_sampled_shapley_is_near_the_exact_value_and_depends_only_on_the_seed() -> None:
    chain = Chain(moves_of(random_paths(random.Random(3), sources=8)))
    exact = share_by_shapley(chain)
    sampled = share_by_shapley(chain, exact_sources=0)
    assert np.abs(exact - sampled).max() < 0.02
    assert (sampled == share_by_shapley(chain, exact_sources=0)).all()
    assert (sampled != share_by_shapley(chain, exact_sources=0, seed=1)).any()


def test_shapley_handles_many_sources() -> None:
    """Each of 30 sources has its own journey, and each converts: equal shares."""
    paths = [Path((f"s{number:02}",), 1, 1) for number in range(30)]
    assert shares(paths, share_by_shapley) == pytest.approx(
        {path.sources[0]: 1 / 30 for path in paths}, abs=1e-9
    )


def test_weights_are_one_when_all_sources_convert_equally_often() -> None:
    """Half of the journeys of every path convert. How often a source occurs does not matter."""
    paths = [Path(("a", "b"), 10, 5), Path(("a",), 40, 20), Path(("b", "c", "a"), 6, 3)]
    weights = [row.weight for row in weigh_sources(moves_of(paths))]
    assert weights == pytest.approx([1] * 6, abs=1e-9)


def test_weight_is_conversion_share_divided_by_journey_share() -> None:
    """Conversion shares 4/6, 1/6, 1/6 divided by journey shares 5/10, 3/10, 2/10."""
    expected = {"a": 4 / 6 / 0.5, "b": 1 / 6 / 0.3, "c": 1 / 6 / 0.2}
    for model in ("markov", "shapley"):
        rows = {
            row.source: row.weight for row in weigh_sources(moves_of(APART)) if row.model == model
        }
        assert rows == pytest.approx(expected, abs=1e-9)


def test_moves_count_journeys_and_conversions_once() -> None:
    moves = moves_of(TWO_SOURCES)
    assert (count_journeys(moves), count_conversions(moves)) == (8, 4)


@pytest.mark.parametrize(
    ("clicks", "ranges"),
    [(0, 1), (CLICKS_AT_ONCE, 1), (10 * CLICKS_AT_ONCE, 10), (SLICES**2 * CLICKS_AT_ONCE, SLICES)],
)
def test_ranges_cover_each_slice_once_however_many_clicks_there_are(
    clicks: int, ranges: int
) -> None:
    divided = list(divide(clicks))
    assert len(divided) == ranges
    covered = [slice_ for first, last in divided for slice_ in range(first, last + 1)]
    assert covered == list(range(SLICES))
