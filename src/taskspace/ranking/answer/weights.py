"""How much each signal counts: learned on targets whose transfers are known, shrunk to weights that need none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROUNDING = 1e-7
"""Spreads below this share of the largest value are rounding, and order nothing."""
_CONVERGED = 1e-12
_ROUNDS = 200


def standardised(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column of float64[n, k] in standard deviations over the rows that have it; 0 where it is NaN or constant.

    So a signal that cannot tell of a source says "average" of it, and its units do not count.
    """
    known = ~np.isnan(columns)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, columns - np.where(known, columns, 0.0).sum(axis=0) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    largest = np.abs(np.where(known, columns, 0.0)).max(axis=0, initial=0.0)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > _ROUNDING * largest)


def learn_weights(
    signals: Sequence[NDArray[np.float64]],
    gains: Sequence[NDArray[np.float64]],
    usual: NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """Weights float64[k], none negative, for standardised signals [n_t, k] and gains [n_t] of each known target (ours).

    Minimises the sum over targets of the mean squared distance of the standardised gains from signals @ weights, plus
    ``strength`` times the squared distance from ``usual``: every target counts alike, however large its gains and
    however many of its sources were measured, and the usual weights count as ``strength`` targets do.  No signal
    counts against itself, since each was made to be higher for better sources and a few targets are not enough to
    learn the opposite.
    """
    gram = np.diag(np.full(len(usual), strength))
    right = strength * usual
    used = 0
    for x, g in zip(signals, gains, strict=True):
        known = ~np.isnan(g)
        y = standardised(g[known][:, None])[:, 0]
        if known.sum() > 1 and y.any():
            gram = gram + x[known].T @ x[known] / known.sum()
            right = right + x[known].T @ y / known.sum()
            used += 1
    if not used:
        return usual
    return _nonnegative(gram, right, usual)


def _nonnegative(
    gram: NDArray[np.float64], right: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The minimiser of ½ wᵀ gram w - rightᵀ w over w >= 0, by coordinate descent."""
    weights = start.copy()
    for _ in range(_ROUNDS):
        before = weights.copy()
        for k in range(len(weights)):
            if gram[k, k] > 0:
                weights[k] = max(0.0, weights[k] + (right[k] - gram[k] @ weights) / gram[k, k])
        if np.abs(weights - before).max(initial=0.0) < _CONVERGED:
            break
    return weights
