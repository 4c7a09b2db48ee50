"""Divergences of two clouds of features by their moments, their shadows and a line between them.

Clouds are float[n, d] and float[m, d], one row per text, of one surrogate.  Lower is nearer, all are symmetric.  At
most ``limit`` rows of each are looked at (``None``: all), drawn by ``seed``; sums run in float64, and shuffling rows
changes nothing.  :class:`DataError` for clouds of other widths, with NaN, or of too few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError
from taskspace.ranking.divergences.samples import LIMIT, clouds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

_FOLDS = 5
_SHRINKAGE = 0.1
"""Share of the mean variance that is added to every variance, so that more features than texts do no harm; ours."""
_AT_ONCE = 16


def frechet(a: ArrayLike, b: ArrayLike, *, limit: int | None = LIMIT, seed: int = 0) -> float:
    """Squared 2-Wasserstein distance of the Gaussians with the clouds' moments (Dowson and Landau 1982).

    ‖μ_a - μ_b‖² + tr(Σ_a + Σ_b - 2 (Σ_a^½ Σ_b Σ_a^½)^½), covariances over n - 1; two rows at least.
    """
    x, y = clouds(a, b, limit, seed, least=2)
    shift = x.mean(axis=0) - y.mean(axis=0)
    left, right = _root(x), _root(y)
    # Σ_a = LᵀL and Σ_b = RᵀR: the eigenvalues of Σ_a Σ_b are the squared singular values of L Rᵀ.
    common = np.linalg.svd(left @ right.T, compute_uv=False).sum()
    return max(float(shift @ shift + (left**2).sum() + (right**2).sum() - 2 * common), 0.0)


def coral(a: ArrayLike, b: ArrayLike, *, limit: int | None = LIMIT, seed: int = 0) -> float:
    """‖Σ_a - Σ_b‖_F² / 4d² (Sun and Saenko 2016): spread and correlation, not place; two rows at least."""
    x, y = clouds(a, b, limit, seed, least=2)
    left, right = _root(x), _root(y)
    gap = left.T @ left - right.T @ right
    return float((gap**2).sum()) / (4 * x.shape[1] ** 2)


def sliced_wasserstein(
    a: ArrayLike, b: ArrayLike, *, projections: int = 200, limit: int | None = LIMIT, seed: int = 0
) -> float:
    """Mean 1-Wasserstein distance of the clouds' shadows on random directions (Bonneel et al. 2015).

    Of order 1: for features of width 1 it is the Wasserstein distance itself, in units of the features.  Clouds of
    other sizes are compared by their exact quantile functions.  The directions depend on width and seed alone.
    """
    if projections < 1:
        raise SettingError(f"projections is {projections}; take 1 at least, 200 is usual")
    x, y = clouds(a, b, limit, seed)
    directions = np.random.default_rng(seed).standard_normal((projections, x.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    total = 0.0
    for start in range(0, projections, _AT_ONCE):
        some = directions[start : start + _AT_ONCE].T
        total += float(_transport(np.sort(x @ some, axis=0), np.sort(y @ some, axis=0)).sum())
    return total / projections


def proxy_a(a: ArrayLike, b: ArrayLike, *, limit: int | None = LIMIT, seed: int = 0) -> float:
    """Proxy A-distance 2 (1 - 2 error) of a linear classifier that tells the clouds apart (Ben-David et al. 2007).

    0 (no better than a coin) to 2 (never wrong); two rows of each at least.  The classifier is a ridge regression in
    closed form with both clouds at equal weight, the error the mean over clouds of what it gets wrong on texts held
    out, in 5 folds of each cloud; a text on the line counts half.  Errors above one half are a coin's.
    """
    x, y = clouds(a, b, limit, seed, least=2)
    x, y = x - x[0], y - x[0]  # features that never change are exact zeros
    if x.shape[1] > len(x) + len(y):  # the same clouds in as many dimensions as they have rows
        x, y = np.split(np.transpose(np.linalg.qr(np.concatenate([x, y]).T, mode="r")), [len(x)])
    wrong = np.zeros(2)
    for (train_x, test_x), (train_y, test_y) in zip(_folds(x, y, seed), _folds(y, x, seed), strict=True):
        direction, middle = _line(train_x, train_y)
        wrong += _misses((test_x - middle) @ direction), _misses((middle - test_y) @ direction)
    error = float((wrong / [len(x), len(y)]).mean())
    return max(2 * (1 - 2 * error), 0.0)


def _root(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """R float64[min(n, d), d] with RᵀR the covariance."""
    centred = rows - rows.mean(axis=0)
    return np.linalg.qr(centred, mode="r") / np.sqrt(len(rows) - 1)


def _transport(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """∫ |F⁻¹ - G⁻¹| float64[p] per column of sorted float64[n, p] and float64[m, p].

    Both quantile functions are flat between multiples of 1/n and 1/m; in units of 1/nm those are whole numbers.
    """
    n, m = len(x), len(y)
    steps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(steps, prepend=0) / (n * m)
    return widths @ np.abs(x[(steps - 1) // m] - y[(steps - 1) // n])


def _folds(
    rows: NDArray[np.float64], others: NDArray[np.float64], seed: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Rows to learn from and rows held out; as many folds as both clouds can fill."""
    count = min(_FOLDS, len(rows), len(others))
    fold = np.random.default_rng(seed).permutation(len(rows)) % count
    for each in range(count):
        yield rows[fold != each], rows[fold == each]


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The direction from y to x, shrunken scatter taken out, and the point half way; zeros where all rows coincide."""
    shift, middle = x.mean(axis=0) - y.mean(axis=0), (x.mean(axis=0) + y.mean(axis=0)) / 2
    left, right = x - middle, y - middle
    scatter = left.T @ left / len(x) + right.T @ right / len(y)
    size = np.trace(scatter) / len(scatter)
    if not size:
        return np.zeros_like(shift), middle
    return np.linalg.solve(scatter / size + _SHRINKAGE * np.eye(len(scatter)), shift), middle


def _misses(margins: NDArray[np.float64]) -> float:
    return float((margins < 0).sum() + (margins == 0).sum() / 2)
