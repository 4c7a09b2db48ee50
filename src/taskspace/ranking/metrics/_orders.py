"""Equal scores stand for every order of those candidates, each as likely: means over the orders, in closed form.

Place 0 is that of the highest score; the candidates of one score share its places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_place(worth: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected ``worth`` float64[n] found at each place: the mean over the candidates that share it."""
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, weights=worth) / sizes, sizes)


def by_candidate(places: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The other way: expected value float64[n] of the place that each candidate gets, from those of all ``places``."""
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    return (np.add.reduceat(places, np.cumsum(sizes) - sizes) / sizes)[group]


def mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks float64[n], 1 for the highest, equals at their mean rank."""
    return by_candidate(np.arange(1.0, len(values) + 1), values)


def best_of_first(worth: NDArray[np.float64], scores: NDArray[np.float64], k: int) -> float:
    """Expected largest ``worth`` among the first ``k`` of n, 1 <= k <= n."""
    cut = np.sort(scores)[::-1][k - 1]
    safe, tied = worth[scores > cut], np.sort(worth[scores == cut])[::-1]
    drawn, count = k - len(safe), len(tied)
    # The best of the drawn is the i-th best of the tied (from 0) if that one is drawn and none before it.
    passed = np.arange(1, count)
    odds = drawn / count * np.cumprod([1.0, *np.maximum(count - drawn - passed + 1, 0) / (count - passed)])
    return float(odds @ np.maximum(tied, safe.max(initial=-np.inf)))
