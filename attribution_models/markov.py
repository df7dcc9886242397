"""Markov model: a source's worth is the share of conversions that would be lost without it."""

import numpy as np

from attribution_models.chain import Chain, Numbers


def share_by_removal(chain: Chain) -> Numbers:
    """Each source's share of the conversions, 0..1, in the order of `chain.sources`.

    The removal effect of a source is how much the probability of a conversion drops if its clicks
    lead to nothing. Shares are the effects divided by their sum; all are 0 if nothing converts.
    """
    size = len(chain.sources)
    everyone = np.ones((1, size), dtype=bool)
    all_but_one = ~np.eye(size, dtype=bool)
    [whole] = chain.conversion_probabilities(everyone)
    # Removing a source never raises the probability; a negative effect is a rounding error.
    effects = np.maximum(whole - chain.conversion_probabilities(all_but_one), 0)
    total = effects.sum()
    shares: Numbers = effects / total if total > 0 else effects
    return shares
