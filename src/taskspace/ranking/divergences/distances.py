"""Divergences of two clouds of features by the distances between their rows.

As :mod:`~taskspace.ranking.divergences.clouds`: lower is nearer, symmetric, at most ``limit`` rows of each cloud.
Distances are made in blocks, so that memory grows with the rows and not with their square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.divergences.samples import LIMIT, clouds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

_BLOCK = 512
_MEDIAN_ROWS = 500
"""Rows of each cloud that the bandwidth is taken from."""
_ROUNDING = 1e-13
"""What is left of a squared distance, against the squared lengths it was taken from, that is no more than rounding."""


def energy(a: ArrayLike, b: ArrayLike, *, limit: int | None = LIMIT, seed: int = 0) -> float:
    """Energy distance 2E‖x-y‖ - E‖x-x'‖ - E‖y-y'‖ (Székely and Rizzo 2013), in units of the features.

    Means over all pairs of rows, each with itself too: never negative, and 0 for clouds that coincide.
    """
    x, y = _centred(*clouds(a, b, limit, seed))
    between, left, right = (_mean_distance(*pair) for pair in ((x, y), (x, x), (y, y)))
    return max(2 * between - left - right, 0.0)


def mmd(a: ArrayLike, b: ArrayLike, *, limit: int | None = LIMIT, seed: int = 0) -> float:
    """Squared maximum mean discrepancy, unbiased (Gretton et al. 2012, eq. 3), at most 2; two rows at least.

    Kernel exp(-‖x-y‖² / 2σ²), σ the median distance of different rows of both clouds together (the mean distance where
    more than half of them coincide; 0 is returned where all do).  Clouds of one distribution get 0 on average, so
    about half the time less than 0; a cloud and itself get a little less than 0.
    """
    x, y = _centred(*clouds(a, b, limit, seed, least=2))
    width = _bandwidth(x[:: -(-len(x) // _MEDIAN_ROWS)], y[:: -(-len(y) // _MEDIAN_ROWS)])
    if not width:
        return 0.0
    n, m = len(x), len(y)
    left = (_kernel_sum(x, x, width) - n) / (n * (n - 1))
    right = (_kernel_sum(y, y, width) - m) / (m * (m - 1))
    return left + right - 2 * _kernel_sum(x, y, width) / (n * m)


def _centred(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Around the point half way: distances stay, and less is lost when they are taken from lengths."""
    middle = (x.mean(axis=0) + y.mean(axis=0)) / 2
    return x - middle, y - middle


def _squared_distances(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """float64[block, m] for blocks of rows of x; rows that coincide to rounding are at distance 0."""
    theirs = np.einsum("ij,ij->i", y, y)
    for start in range(0, len(x), _BLOCK):
        some = x[start : start + _BLOCK]
        lengths = np.einsum("ij,ij->i", some, some)[:, None] + theirs
        squares = lengths - 2 * some @ y.T
        yield np.where(squares > _ROUNDING * lengths, squares, 0.0)


def _mean_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return sum(float(np.sqrt(block).sum()) for block in _squared_distances(x, y)) / (len(x) * len(y))


def _kernel_sum(x: NDArray[np.float64], y: NDArray[np.float64], width: float) -> float:
    return sum(float(np.exp(block / (-2 * width**2)).sum()) for block in _squared_distances(x, y))


def _bandwidth(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    rows = np.concatenate([x, y])
    squares = np.concatenate(list(_squared_distances(rows, rows)))
    distances = np.sqrt(squares[~np.eye(len(rows), dtype=bool)])
    return float(np.median(distances)) or float(distances.mean())
