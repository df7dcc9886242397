"""A Markov chain of order 1 over sources: moves in, the probability of a conversion out.

A journey starts, moves from click to click, and ends converted or lost. Its next step depends only
on the source of its last click. Transition probabilities are the frequencies of the moves.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attribution_models.journeys import Move

Numbers = NDArray[np.float64]
# A row for each coalition, a column for each source: whether the source is in the coalition.
Coalitions = NDArray[np.bool_]


class Chain:
    """The chain estimated from the moves of whole journeys.

    Every journey ends, so an end can be reached from every source. So the equations below always
    have exactly one solution: even if a source follows itself, if every journey converts or none
    does, and if sources are left out.

    Attributes:
        sources: the sources of the journeys, sorted; the columns of a coalition.
    """

    def __init__(self, all_moves: Sequence[Move]) -> None:
        self.sources = sorted({move.source for move in all_moves if move.source is not None})
        number_of = {source: number for number, source in enumerate(self.sources)}
        starts = np.zeros(len(self.sources))
        moves = np.zeros((len(self.sources), len(self.sources)))
        conversions = np.zeros(len(self.sources))
        visits = np.zeros(len(self.sources))
        for source, next_source, journey_count, conversion_count in all_moves:
            if source is None:
                if next_source is not None:
                    starts[number_of[next_source]] += journey_count
                continue
            visits[number_of[source]] += journey_count
            if next_source is None:
                conversions[number_of[source]] += conversion_count
            else:
                moves[number_of[source], number_of[next_source]] += journey_count
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
