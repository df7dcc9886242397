"""Shapley value: a source is worth what it adds to a coalition of sources, in the mean.

The game is that of the chain: a coalition's worth is the probability of a conversion while clicks
of all other sources lead to nothing. The mean is over all orders in which sources may join. It is
exact up to `EXACT_SOURCES` (each of the 2^n coalitions is worked out), beyond that the mean of
`SAMPLED_ORDERS` random orders, the same ones for the same seed.
"""

import math
import random

import numpy as np

from attribution_models.chain import Chain, Coalitions, Numbers

# 4,096 coalitions of 12 sources: 5 MB of equations, 20 ms.
EXACT_SOURCES = 12
# Each order tells all sources' worth once; the standard error of a share is below 1 % with 2,000.
SAMPLED_ORDERS = 2_000
SEED = 42


def share_by_shapley(chain: Chain, exact_sources: int = EXACT_SOURCES, seed: int = SEED) -> Numbers:
    """Each source's share of the conversions, 0..1, in the order of `chain.sources`.

    All 0 where nothing converts. They add up to 1 otherwise: so do the values to the worth of all.
    """
    is_exact = len(chain.sources) <= exact_sources
    values = _exact_values(chain) if is_exact else _sampled_values(chain, random.Random(seed))
    # No source makes a coalition convert less: what is below 0 is rounding.
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
    """Mean of what each source adds when it joins, over random orders."""
    size = len(chain.sources)
    order = list(range(size))
    values = np.zeros(size)
    for _ in range(SAMPLED_ORDERS):
        rng.shuffle(order)
        joined: Coalitions = np.tri(size + 1, size, -1, dtype=bool)[:, np.argsort(order)]
        values[order] += np.diff(chain.conversion_probabilities(joined))
    return values / SAMPLED_ORDERS
