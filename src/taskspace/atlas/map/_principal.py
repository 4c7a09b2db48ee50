"""Principal components of very many, very long rows: block Krylov, exact where that is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.atlas.map._directions import Directions

_EXACT = 500
"""Rows up to which an ordinary singular value decomposition takes no time."""
_WIDTH = 12
"""Columns of a Krylov block: more than two, so that near-equal components are found together."""
_PASSES = 12
"""Most passes over the rows.  A spectrum so flat that these do not separate it has no leading plane to find."""
_RESIDUAL = 1e-4
"""|Cv - λv| at which an axis counts as found, against the largest eigenvalue."""
_NOTHING = 2e-6
"""Share of the variance that float32 rows cannot tell from none; and such a variance of rows of length 1."""


@dataclass(frozen=True, eq=False)
class Principal:
    """``axes`` float64[d, c], orthonormal; ``variances`` float64[c] along them, of ``total``; ``mean`` float64[d]."""

    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    total: float
    mean: NDArray[np.float64]

    @property
    def explained(self) -> NDArray[np.float64]:
        """float64[c]: the share of the variance along each axis; zeros where there is none."""
        return self.variances / self.total if self.total > 0 else np.zeros_like(self.variances)


def principal(directions: Directions, count: int = 2, *, seed: int = 0) -> Principal:
    """The ``count`` axes along which the rows vary most, by falling variance, each with its largest number positive.

    Of more than some hundred rows: block Krylov (Musco and Musco 2015, algorithm 2) with a Rayleigh-Ritz step after
    each pass, which ends when the residuals of the axes are small.  A pass reads the matrix once and holds a part of
    it.  An axis along which nothing varies is zero.
    """
    mean, total = _moments(directions)
    if len(directions) <= _EXACT:
        values, axes = _exact(directions, mean)
    else:
        values, axes = _krylov(directions, mean, count, np.random.default_rng(seed))
    held = np.zeros(count)
    held[: len(values)] = values[:count]
    found = np.zeros((directions.width, count))
    found[:, : axes.shape[1]] = axes[:, :count]
    flat = held <= _NOTHING * max(total, _NOTHING)
    held[flat], found[:, flat] = 0.0, 0.0
    return Principal(_signed(found), held, total, mean)


def coordinates(directions: Directions, found: Principal) -> NDArray[np.float32]:
    """float32[n, c]: the rows along the axes, seen from their mean."""
    axes, shift = found.axes.astype(np.float32), found.mean @ found.axes
    points = np.zeros((len(directions), found.axes.shape[1]), dtype=np.float32)
    for part, rows in directions.parts():
        points[part] = rows @ axes - shift
    return points


def _moments(directions: Directions) -> tuple[NDArray[np.float64], float]:
    """The mean float64[d] of the rows, and the mean of their squared distances from it."""
    total, squares = np.zeros(directions.width), 0.0
    for _, rows in directions.parts():
        total += rows.sum(axis=0, dtype=np.float64)
        squares += float(np.einsum("ij,ij->", rows, rows, dtype=np.float64))
    count = max(len(directions), 1)
    mean = total / count
    return mean, max(squares / count - float(mean @ mean), 0.0)


def _exact(directions: Directions, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = directions.rows() - mean
    _, singular, axes = np.linalg.svd(rows, full_matrices=False)
    return singular**2 / max(len(rows), 1), axes.T


def _krylov(
    directions: Directions, mean: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    block = np.linalg.qr(rng.standard_normal((directions.width, min(_WIDTH, directions.width))))[0]
    basis = image = np.zeros((directions.width, 0))
    values, axes = np.zeros(0), basis
    for _ in range(_PASSES):
        basis, image = np.hstack([basis, block]), np.hstack([image, _covariance(directions, mean, block)])
        small = basis.T @ image
        values, turns = np.linalg.eigh((small + small.T) / 2)
        values, turns = values[::-1][:count], turns[:, ::-1][:, :count]
        axes = basis @ turns
        if np.linalg.norm(image @ turns - axes * values, axis=0).max() <= _RESIDUAL * values[0]:
            break
        block = _beyond(basis, image[:, -block.shape[1] :])
        if not block.shape[1]:
            break
    return values, axes


def _covariance(directions: Directions, mean: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[d, w]: the covariance of the rows times ``block``, in one pass; nothing d by d is made."""
    total = np.zeros_like(block)
    middle, narrow = mean.astype(np.float32), block.astype(np.float32)
    for _, rows in directions.parts():
        rows -= middle
        total += rows.T @ (rows @ narrow)
    return total / len(directions)


def _beyond(basis: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.float64]:
    """What ``block`` adds to an orthonormal ``basis``, orthonormal itself; no columns where that is nothing."""
    for _ in range(2):  # once more, since the first time leaves rounding behind
        block = block - basis @ (basis.T @ block)
        block, left = np.linalg.qr(block)
        size = np.abs(np.diag(left))
        block = block[:, size > 1e-8 * max(float(size.max(initial=0.0)), 1e-30)]
    return block[:, : max(0, basis.shape[0] - basis.shape[1])]


def _signed(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every axis turned so that its largest number is positive, since a decomposition leaves that open."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0) if axes.size else np.ones((1, 1))
    return axes * np.where(largest < 0, -1.0, 1.0)
