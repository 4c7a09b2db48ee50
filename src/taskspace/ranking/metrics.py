"""How good an order of candidates is, once the truth is known.

``truth`` float64[n] is what each candidate is worth and ``scores`` float64[n] what it was given, higher is better in
both.  Equal scores stand for every order of those candidates: a metric is then its exact mean over the
orders.  So chance needs no draws: it is what scores get that are all equal (:func:`chance`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from taskspace.errors import DataError, SettingError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

Gain: TypeAlias = Literal["linear", "raw", "exp"]


def ndcg(truth: ArrayLike, scores: ArrayLike, *, gain: Gain = "linear", k: int | None = None) -> float:
    """Normalised discounted cumulative gain of the first ``k`` (default: all), 0 to 1 (Järvelin and Kekäläinen 2002).

    ``gain="linear"`` scales the truth so that the worst candidate is worth 0 and the best 1; ``"raw"`` takes it as it
    is and ``"exp"`` 2**truth - 1, for truths that are not negative: with accuracies chance is then near 1.
    Equal scores share the mean gain of their places (McSherry and Najork 2008).  1 where all gains are 0.
    """
    worth, given = _columns(truth, scores)
    if gain not in _GAINS:
        raise SettingError(f"there is no gain {gain!r}{did_you_mean(gain, _GAINS)}")
    gains = _GAINS[gain](worth)
    if gains.min() < 0:
        raise SettingError(f"gain {gain!r} takes no negative truth, and the least is {worth.min():g}; use 'linear'")
    discounts = 1 / np.log2(np.arange(len(gains)) + 2)
    discounts[len(gains) if k is None else _sound(k) :] = 0.0
    ideal = float(np.sort(gains)[::-1] @ discounts)
    return float(_shared(gains, given) @ discounts) / ideal if ideal > 0 else 1.0


def regret_at(truth: ArrayLike, scores: ArrayLike, k: int = 1) -> float:
    """What is lost by keeping only the first ``k``: the best of all minus the best of those, in units of ``truth``."""
    worth, given = _columns(truth, scores)
    return float(worth.max()) - _best_of_first(worth, given, k)


def hit_at(truth: ArrayLike, scores: ArrayLike, k: int = 1) -> float:
    """Whether a best candidate is among the first ``k``; between 0 and 1 where equal scores leave it open."""
    worth, given = _columns(truth, scores)
    return _best_of_first((worth == worth.max()).astype(np.float64), given, k)


def spearman(truth: ArrayLike, scores: ArrayLike) -> float:
    """Correlation of the ranks in [-1, 1], equals at their mean rank; 0 where either side orders nothing."""
    a, b = (mean_ranks(column) for column in _columns(truth, scores))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def chance(metric: Callable[..., float], truth: ArrayLike, **settings: Any) -> float:
    """The exact mean of a metric over all orders of the candidates, each as likely."""
    return metric(truth, np.zeros(np.shape(truth)), **settings)


def mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks float64[n], 1 for the highest, equals at their mean rank."""
    _, group, sizes = np.unique(-values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[group]


def _best_of_first(worth: NDArray[np.float64], scores: NDArray[np.float64], k: int) -> float:
    """Expected largest ``worth`` among the first k, equal scores in random order."""
    cut = np.sort(scores)[::-1][min(_sound(k), len(scores)) - 1]
    safe, tied = worth[scores > cut], np.sort(worth[scores == cut])[::-1]
    drawn, count = min(k, len(scores)) - len(safe), len(tied)
    # The best of the drawn is the i-th best of the tied (from 0) if that one is drawn and none before it.
    passed = np.arange(1, count)
    odds = drawn / count * np.cumprod([1.0, *np.maximum(count - drawn - passed + 1, 0) / (count - passed)])
    return float(odds @ np.maximum(tied, safe.max(initial=-np.inf)))


def _shared(gains: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gains by place, highest score first, each the mean over its equals."""
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=gains) / sizes
    return np.repeat(means, sizes)


def _columns(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    worth, given = np.asarray(truth, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if worth.ndim != 1 or worth.shape != given.shape or not len(worth):
        raise DataError(
            f"truth of shape {worth.shape} and scores of shape {given.shape} do not match; give one per name"
        )
    if not np.isfinite(worth).all() or np.isnan(given).any():
        raise DataError("truth or scores hold NaN; leave those candidates out")
    return worth, given


def _sound(k: int) -> int:
    if k < 1:
        raise SettingError(f"k is {k}; look at the first 1 at least")
    return k


def _scaled(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(np.ptp(worth))
    return (worth - worth.min()) / spread if spread else np.zeros(len(worth))


_GAINS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": _scaled,
    "raw": lambda worth: worth,
    "exp": lambda worth: 2**worth - 1,
}
