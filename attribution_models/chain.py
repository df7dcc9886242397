"""A Markov chain of order 1 over sources: paths in, the probability of a conversion out.

A journey starts, moves from click to click, and ends converted or lost. Its next step depends only
on the source of its last click. Transition probabilities are the frequencies in the paths.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attribution_models.journeys import Path

Numbers = NDArray[np.float64]
# A row for each coalition, a column for each source: whether the source is in the coalition.
Coalitions = NDArray[np.bool_]


class Chain:
    """The chain estimated from paths.

    Every path ends, so an end can be reached from every source. So the equations below always have
    exactly one solution: even if a source follows itself, if every journey converts or none does,
    and if sources are left out.

    Attributes:
        sources: the sources in the paths, sorted; the columns of a coalition.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.sources = sorted({source for path in paths for source in path.sources})
        number_of = {source: number for number, source in enumerate(self.sources)}
        starts = np.zeros(len(self.sources))
        moves = np.zeros((len(self.sources), len(self.sources)))
        conversions = np.zeros(len(self.sources))
        visits = np.zeros(len(self.sources))
        for path in paths:
            steps = [number_of[source] for source in path.sources]
            starts[steps[0]] += path.journey_count
            conversions[steps[-1]] += path.conversion_count
            np.add.at(visits, steps, path.journey_count)
            np.add.at(moves, (steps[:-1], steps[1:]), path.journey_count)
        self._starts: Numbers = starts / starts.sum()
        self._moves: Numbers = moves / visits[:, np.newaxis]
        self._conversions: Numbers = conversions / visits

    def conversion_probabilities(self, coalitions: Coalitions) -> Numbers:
        """For each coalition, the probability that a journey converts if only its sources work.

        Let p(s) be the probability of a conversion after a click of source s. Then
        p(s) = conversion(s) + sum over the coalition's sources t of move(s, t) p(t).
        A journey that would move to a source outside the coalition is lost.
        """
        size = len(self.sources)
        members = coalitions.astype(np.float64)
        equations = np.eye(size) - self._moves * members[:, np.newaxis, :]
        known = np.broadcast_to(self._conversions[:, np.newaxis], (len(members), size, 1))
        from_source = np.linalg.solve(equations, known)[:, :, 0]
        result: Numbers = np.sum(self._starts * members * from_source, axis=1)
        return result
