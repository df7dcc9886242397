"""Shapley value: a source's worth is what it adds to a coalition of sources, on average.

A coalition's worth comes from the chain: the probability of a conversion if clicks of all other
sources lead to nothing. The average is over all orders in which sources may join. It is exact for
up to `EXACT_SOURCES` sources (all 2^n coalitions are computed). For more sources it is the average
over `SAMPLED_ORDERS` random orders; equal seeds give equal orders.
"""

import math
import random

import numpy as np

from attribution_models.chain import Chain, Coalitions, Numbers

# 12 sources have 4,096 coalitions: 5 MB of equations, 20 ms.
EXACT_SOURCES = 12
# Each order gives one estimate for every source; with 2,000 a share's standard error is below 1 %.
SAMPLED_ORDERS = 2_000
SEED = 42


def share_by_shapley(chain: Chain, exact_sources: int = EXACT_SOURCES, seed: int = SEED) -> Numbers:
    """Each source's share of the conversions, 0..1, in the order of `chain.sources`.

    All are 0 if nothing converts. Otherwise they add up to 1, because Shapley values add up to the
    worth of the coalition of all sources, and are divided by that sum.
    """
    is_exact = len(chain.sources) <= exact_sources
    values = _exact_values(chain) if is_exact else _sampled_values(chain, random.Random(seed))
    # Adding a source never lowers a coalition's worth; a negative value is a rounding error.
    values = np.maximum(values, 0)
    total = values.sum()
    return values / total if total > 0 else values


def _exact_values(chain: Chain) -> Numbers:
    """Sum over coalitions S without s of |S|! (n - |S| - 1)! / n! (worth(S + s) - worth(S))."""
    size = len(chain.sources)
    numbers = np.arange(2**size)
    coalitions: Coalitions = (numbers[:, np.newaxis] >> np.arange(size) & 1).astype(bool)
    worths = chain.conversion_probabilities(coalitions)
    member_counts = coalitions.sum(axis=1)
    chances = np.array([1 / (size * math.comb(size - 1, count)) for count in range(size)])
    values = np.zeros(size)
    for source in range(size):
        without = numbers[~coalitions[:, source]]
        gains = worths[without + 2**source] - worths[without]
        values[source] = np.sum(chances[member_counts[without]] * gains)
    return values


def _sampled_values(chain: Chain, rng: random.Random) -> Numbers:
    """What each source adds when it joins, averaged over random orders."""
    size = len(chain.sources)
    order = list(range(size))
    values = np.zeros(size)
    for _ in range(SAMPLED_ORDERS):
        rng.shuffle(order)
        joined: Coalitions = np.tri(size + 1, size, -1, dtype=bool)[:, np.argsort(order)]
        values[order] += np.diff(chain.conversion_probabilities(joined))
    return values / SAMPLED_ORDERS
