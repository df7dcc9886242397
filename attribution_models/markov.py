"""Markov model: a source is worth the conversions that would be lost without it."""

import numpy as np

from attribution_models.chain import Chain, Numbers


def share_by_removal(chain: Chain) -> Numbers:
    """Each source's share of the conversions, 0..1, in the order of `chain.sources`.

    The removal effect of a source is what the probability of a conversion loses when its clicks
    lead to nothing; shares are the effects divided by their sum, all 0 where nothing converts.
    """
    size = len(chain.sources)
    everyone = np.ones((1, size), dtype=bool)
    all_but_one = ~np.eye(size, dtype=bool)
    [whole] = chain.conversion_probabilities(everyone)
    # Fewer sources never convert more: what is below 0 is rounding.
    effects = np.maximum(whole - chain.conversion_probabilities(all_but_one), 0)
    total = effects.sum()
    shares: Numbers = effects / total if total > 0 else effects
    return shares
