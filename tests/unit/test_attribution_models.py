"""Markov and Shapley against what was worked out by hand."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from attribution_models.chain import Chain, Numbers
from attribution_models.journeys import Path
from attribution_models.learning import weigh_sources
from attribution_models.markov import share_by_removal
from attribution_models.shapley import share_by_shapley

Share = Callable[[Chain], Numbers]
SHARES = [share_by_removal, share_by_shapley]

# Of eight journeys two go a-b and convert, two are a alone and one of them converts, four are b
# alone and one of them converts. Of the four clicks on a two go on to b, one converts, one is lost;
# of the six on b three convert.
#   p(b) = 3/6 = 1/2; p(a) = 1/4 + 2/4 p(b) = 1/2; all: 4/8 p(a) + 4/8 p(b) = 1/2
#   a alone: 4/8 x 1/4 = 1/8; b alone: 4/8 x 1/2 = 1/4; nobody: 0
# Removal effects: of a 1/2 - 1/4 = 1/4, of b 1/2 - 1/8 = 3/8: shares 2/5 and 3/5.
# Shapley: a is first or second, half each: (1/8 + (1/2 - 1/4)) / 2 = 3/16; b: (1/4 + 3/8) / 2 =
# 5/16: shares 3/8 and 5/8.
TWO_SOURCES = [Path(("a", "b"), 2, 2), Path(("a",), 2, 1), Path(("b",), 4, 1)]

# Ten journeys, one source each, 4 of 5, 1 of 3 and 1 of 2 convert: sources don't touch each other,
# and each is worth its own conversions, 4, 1 and 1 of 6, in both models.
APART = [Path(("a",), 5, 4), Path(("b",), 3, 1), Path(("c",), 2, 1)]

# Every journey goes a-b-c and every second one converts: without any of them nothing is left.
# All effects are 1/2: shares 1/3. By symmetry Shapley's too.
IN_A_ROW = [Path(("a", "b", "c"), 6, 3)]


def shares(paths: Sequence[Path], share: Share) -> dict[str, float]:
    chain = Chain(paths)
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
def test_shares_are_those_worked_out_by_hand_when_paths_are_few(
    paths: list[Path], share: Share, expected: dict[str, float]
) -> None:
    assert shares(paths, share) == pytest.approx(expected, abs=1e-12)


def test_probabilities_are_those_worked_out_by_hand_when_sources_are_left_out() -> None:
    coalitions = np.array([[False, False], [True, False], [False, True], [True, True]])
    found = Chain(TWO_SOURCES).conversion_probabilities(coalitions)
    assert found.tolist() == pytest.approx([0, 1 / 8, 1 / 4, 1 / 2], abs=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_every_journey_has_a_source_when_it_is_worth_everything(share: Share) -> None:
    """`a` begins each journey: without it nothing converts, so its effect is the whole, 1/2.

    b: p(b) = 1; p(a) = 1/2 p(b); without b nothing is left either, for a alone never converts.
    """
    paths = [Path(("a", "b"), 1, 1), Path(("a",), 1, 0)]
    assert shares(paths, share) == pytest.approx({"a": 1 / 2, "b": 1 / 2}, abs=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_nobody_gets_anything_when_nothing_converts(share: Share) -> None:
    assert shares([Path(("a", "b"), 3, 0)], share) == {"a": 0, "b": 0}


@pytest.mark.parametrize("share", SHARES)
def test_the_only_source_gets_all_when_there_is_no_other(share: Share) -> None:
    assert shares([Path(("a",), 1, 1)], share) == {"a": 1}


@pytest.mark.parametrize("share", SHARES)
def test_nothing_changes_when_clicks_of_a_source_follow_each_other(share: Share) -> None:
    """A loop only delays: p(a) = 99/100 p(a) + 1/100 x (what follows)."""
    loops = [Path(("a",) * 100, 5, 4), Path(("b",), 3, 1), Path(("c",) * 7, 2, 1)]
    assert shares(loops, share) == pytest.approx(shares(APART, share), abs=1e-9)


@pytest.mark.parametrize("share", SHARES)
def test_shares_are_a_whole_and_never_negative_when_paths_are_random(share: Share) -> None:
    rng = random.Random(7)
    for _ in range(100):
        paths = random_paths(rng, sources=6)
        found = shares(paths, share)
        assert min(found.values()) >= 0
        converts = float(any(path.conversion_count for path in paths))
        assert sum(found.values()) == pytest.approx(converts, abs=1e-9)


def test_shapley_is_near_when_it_is_sampled_and_the_same_for_a_seed() -> None:
    chain = Chain(random_paths(random.Random(3), sources=8))
    exact = share_by_shapley(chain)
    sampled = share_by_shapley(chain, exact_sources=0)
    assert np.abs(exact - sampled).max() < 0.02
    assert (sampled == share_by_shapley(chain, exact_sources=0)).all()
    assert (sampled != share_by_shapley(chain, exact_sources=0, seed=1)).any()


def test_shapley_is_found_when_there_are_many_sources() -> None:
    """Each of 30 sources has a journey to itself, and each converts: equal shares."""
    paths = [Path((f"s{number:02}",), 1, 1) for number in range(30)]
    assert shares(paths, share_by_shapley) == pytest.approx(
        {path.sources[0]: 1 / 30 for path in paths}, abs=1e-9
    )


def test_weights_are_one_when_sources_convert_alike() -> None:
    """However often each is there: half of the journeys of every path converts."""
    paths = [Path(("a", "b"), 10, 5), Path(("a",), 40, 20), Path(("b", "c", "a"), 6, 3)]
    weights = [row.weight for row in weigh_sources(paths)]
    assert weights == pytest.approx([1] * 6, abs=1e-9)


def test_a_weight_is_how_much_more_a_source_converts_when_sources_stand_apart() -> None:
    """Shares of conversions 4/6, 1/6, 1/6 by shares of journeys 5/10, 3/10, 2/10."""
    expected = {"a": 4 / 6 / 0.5, "b": 1 / 6 / 0.3, "c": 1 / 6 / 0.2}
    for model in ("markov", "shapley"):
        rows = {row.source: row.weight for row in weigh_sources(APART) if row.model == model}
        assert rows == pytest.approx(expected, abs=1e-9)
