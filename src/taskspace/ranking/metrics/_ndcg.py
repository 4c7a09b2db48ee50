"""Normalised discounted cumulative gain.  A figure means nothing without its gain and what chance gets with it.

Of 13 random sources with accuracies between .5 and .9, in random order: .53 to .94, depending on the gain alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.ranking.metrics._columns import columns, first, scaled
from taskspace.ranking.metrics._orders import by_candidate, by_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

Gain: TypeAlias = Literal["linear", "raw", "exp", "exp_rank", "exp_minmax"]


def ndcg(truth: ArrayLike, scores: ArrayLike, *, gain: Gain = "linear", k: int | None = None) -> float:
    """Normalised discounted cumulative gain of the first ``k`` (default: all), 0 to 1 (Järvelin and Kekäläinen 2002).

    ``gain`` says what a candidate is worth:

    * ``"linear"``: its truth, scaled so that the worst candidate is worth 0 and the best 1;
    * ``"raw"``: the truth as it is, and ``"exp"``: 2**truth - 1, both for truths that are not negative.  With
      accuracies from 0 to 1 chance is then near 1;
    * ``"exp_minmax"``: 2**(4 * scaled) - 1;
    * ``"exp_rank"``: 2**rank - 1, the rank being how many others are worse: n - 1 for a best one, 0 for the worst.

    Equal scores share the mean gain of their places (McSherry and Najork 2008).  1 for a single candidate, for a truth
    without a better, and where all gains are 0.

    Raises :class:`SettingError` for a gain that is none or takes no negative truth, :class:`DataError` for NaN.
    """
    worth, given = columns(truth, scores)
    gains = _gains(worth, gain)
    discounts = _discounts(len(gains))
    discounts[len(gains) if k is None else first(k, len(gains)) :] = 0.0
    return _share(float(by_place(gains, given) @ discounts), float(np.sort(gains)[::-1] @ discounts))


def compatibility_ndcg(truth: ArrayLike, scores: ArrayLike, *, gain: Gain = "exp_rank") -> float:
    """No NDCG: what an evaluator in use publishes under that name, for comparison with its figures alone.

    It walks the candidates in their true order and reads, for each, the gain that belongs to its *predicted* place:
    the inverse of the permutation that NDCG looks at.  1 for the perfect order; else it may lie on either side of
    :func:`ndcg`.  Equal scores and equal truths are averaged over their orders, exactly.
    """
    worth, given = columns(truth, scores)
    gains = np.sort(_gains(worth, gain))[::-1]
    discounts = _discounts(len(gains))
    order = np.argsort(-worth, kind="stable")
    read = by_candidate(gains, given)[order]
    return _share(float(read @ by_candidate(discounts, worth)[order]), float(gains @ discounts))


def _gains(worth: NDArray[np.float64], gain: Gain) -> NDArray[np.float64]:
    if gain not in _GAINS:
        raise SettingError(f"there is no gain {gain!r}{did_you_mean(gain, _GAINS)}")
    if gain in ("raw", "exp") and worth.min() < 0:
        raise SettingError(f"gain {gain!r} takes no negative truth, and the least is {worth.min():g}; use 'linear'")
    return _GAINS[gain](worth)


def _exponential(relevance: NDArray[np.float64]) -> NDArray[np.float64]:
    """2**relevance - 1, over the power of two below the largest: NDCG is the same, and hundreds do not overflow."""
    largest = np.floor(relevance.max())
    return np.exp2(relevance - largest) - np.exp2(-largest)


def _others_worse(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.searchsorted(np.sort(worth), worth, side="left").astype(np.float64)


def _discounts(places: int) -> NDArray[np.float64]:
    return 1 / np.log2(np.arange(places) + 2)


def _share(found: float, ideal: float) -> float:
    return found / ideal if ideal > 0 else 1.0


_GAINS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": scaled,
    "raw": lambda worth: worth,
    "exp": _exponential,
    "exp_rank": lambda worth: _exponential(_others_worse(worth)),
    "exp_minmax": lambda worth: _exponential(4 * scaled(worth)),
}
