"""What is lost by looking at the first k only: three definitions that are never to be compared with each other.

Lower is better, 0 is none.  Equal scores: the exact mean over their orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.metrics._columns import columns, first
from taskspace.ranking.metrics._orders import best_of_first, by_place

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def regret_at(truth: ArrayLike, scores: ArrayLike, k: int = 1) -> float:
    """What is lost by keeping only the first ``k``: the best of all minus the best of those, in units of ``truth``.

    0 for a single candidate, a truth without a better, and where ``k`` takes all in.
    """
    worth, given = columns(truth, scores)
    return float(worth.max()) - best_of_first(worth, given, first(k, len(worth)))


def best_of_k_regret(truth: ArrayLike, scores: ArrayLike, k: int = 3) -> float:
    """:func:`regret_at` in % of the best of all (Poth et al. 2021, "What to pre-train on?", Regret@k).

    ``truth`` is to be a score such as accuracy.  Where the best is negative its absolute value is taken; where it is
    0 there is no such share, and :class:`DataError` is raised, for a single candidate too.
    """
    worth, _ = columns(truth, scores)
    return _percent(regret_at(truth, scores, k), float(worth.max()), "the best of all")


def mean_of_k_regret(truth: ArrayLike, scores: ArrayLike, k: int = 5) -> float:
    """How far the mean of the first ``k`` lies below that of the ``k`` best, in % of the latter.

    Regret@k of TaskWeb (Kim et al. 2023).  With k = 1 it is :func:`best_of_k_regret`; with more it asks that all of the
    first be good, not one of them.  Where the mean of the best is negative its absolute value is taken; where it is 0
    there is no such share, and :class:`DataError` is raised.
    """
    worth, given = columns(truth, scores)
    kept = first(k, len(worth))
    ideal = float(np.sort(worth)[::-1][:kept].mean())
    return _percent(ideal - float(by_place(worth, given)[:kept].mean()), ideal, f"the mean of the {kept} best")


def _percent(loss: float, whole: float, said: str) -> float:
    if not whole:
        raise DataError(f"{said} is 0, and a regret in % of it has no meaning; use regret_at")
    return 100 * loss / abs(whole)
