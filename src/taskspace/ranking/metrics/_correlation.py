"""Rank correlations of scores with the truth, in [-1, 1]; 0 where either side orders nothing, as a single candidate.

Equals are treated as by the standard definitions, not averaged over their orders: that mean would be nearer to 0, for
candidates that are not told apart count there as told apart at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.metrics._columns import columns
from taskspace.ranking.metrics._orders import mean_ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ROWS = 256
"""Candidates compared with all others at a time, so that memory stays small for thousands."""


def spearman(truth: ArrayLike, scores: ArrayLike) -> float:
    """Correlation of the ranks in [-1, 1], equals at their mean rank; 0 where either side orders nothing."""
    a, b = (mean_ranks(column) for column in columns(truth, scores))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def kendall(truth: ArrayLike, scores: ArrayLike) -> float:
    """Kendall's tau-b: pairs in the same order minus pairs in the opposite one, equals in neither (Kendall 1945)."""
    a, b = (mean_ranks(column) for column in columns(truth, scores))
    return _tau(_agreements(a, b), np.ones(len(a)))


def weighted_tau(truth: ArrayLike, scores: ArrayLike) -> float:
    """Weighted tau (Vigna 2015): as :func:`kendall`, but a pair counts the more the higher its two stand.

    The weight of a pair is 1/r + 1/r', r and r' the ranks from 1 by truth, equals by score; the same with truth and
    scores exchanged; and the mean of the two.  So with ``scipy.stats.weightedtau``, by which LogME was judged.
    """
    a, b = (mean_ranks(column) for column in columns(truth, scores))
    agreements = _agreements(a, b)
    return (_tau(agreements, _hyperbolic(a, b)) + _tau(agreements, _hyperbolic(b, a))) / 2


def _tau(agreements: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """With pair (i, j) weighing ``weights[i] + weights[j]``: then a sum over pairs is one over candidates."""
    both, one, other = agreements @ weights
    return float(both / np.sqrt(one * other)) if one and other else 0.0


def _agreements(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[3, n]: with how many others each is ordered alike in ``a`` and ``b``, minus with how many oppositely.

    Then the same of ``a`` with itself, which is how many others it does not equal, and of ``b``.
    """
    found = np.empty((3, len(a)))
    for start in range(0, len(a), _ROWS):
        rows = slice(start, start + _ROWS)
        one, other = np.sign(a[rows, None] - a), np.sign(b[rows, None] - b)
        found[:, rows] = (one * other).sum(axis=1), (one * one).sum(axis=1), (other * other).sum(axis=1)
    return found


def _hyperbolic(ranks: NDArray[np.float64], then: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / rank float64[n], without equals: by ``ranks``, and by ``then`` where those are equal.

    Candidates equal in both have the same agreements, so it does not matter which comes first.
    """
    weights = np.empty(len(ranks))
    weights[np.lexsort((then, ranks))] = 1 / np.arange(1, len(ranks) + 1)
    return weights
