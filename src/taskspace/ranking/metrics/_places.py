"""Where the best candidates stand, and how many of them are among the first.

Candidates that are worth the same are equally right.  Equal scores: the exact mean over their orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.metrics._columns import columns, first
from taskspace.ranking.metrics._orders import best_of_first, by_place

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def rank_of_best(truth: ArrayLike, scores: ArrayLike) -> float:
    """Place of the truly best candidate, from 1; of several best, the first met.  Lower is better.

    Its mean over targets is the "average rank" of the literature.  Chance is (n + 1) / (best + 1), so
    (n + 1) / 2 for a single best; a truth without a better has place 1.
    """
    worth, given = columns(truth, scores)
    best = worth == worth.max()
    highest = given[best].max()
    above, tied = int((given > highest).sum()), given == highest
    # The first of b drawn at random from m places is at (m + 1) / (b + 1) on average.
    return above + (int(tied.sum()) + 1) / (int((tied & best).sum()) + 1)


def precision_at(truth: ArrayLike, scores: ArrayLike, k: int = 3) -> float:
    """Share of the first ``k`` that is among the truly first ``k``, 0 to 1.

    A candidate worth as much as the k-th best is among them: where several are, any of them is right.  So 1 for a
    single candidate, a truth without a better, and where ``k`` takes all in.
    """
    worth, given = columns(truth, scores)
    kept = first(k, len(worth))
    wanted = worth >= np.sort(worth)[::-1][kept - 1]
    return float(by_place(wanted.astype(np.float64), given)[:kept].mean())


def hit_at(truth: ArrayLike, scores: ArrayLike, k: int = 1) -> float:
    """Whether a best candidate is among the first ``k``; between 0 and 1 where equal scores leave it open."""
    worth, given = columns(truth, scores)
    return best_of_first((worth == worth.max()).astype(np.float64), given, first(k, len(worth)))
