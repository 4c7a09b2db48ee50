"""Which few sources, mixed, make the target: Lasso relevance (Wang et al. 2023, active multi-task representation)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]

_NOTHING = 1e-10
"""Parts of a unit vector below this are rounding."""
_LAST = 1e-6
"""The share of the largest λ at which the path ends: what enters later has no say, and the steps there are rounding."""


def relevance(target: ArrayLike, sources: ArrayLike, *, nonnegative: bool = False) -> NDArray[np.float64]:
    """float64[n]: mean over λ of abs(ν_s), ν the minimum of ½‖Wν - w‖² + λ‖ν‖₁, λ from 0 to where all of ν is 0.

    ``target`` w float64[d], ``sources`` float64[n, d] the columns of W, all brought to unit length.  The whole path is
    followed, so there is no λ to choose and a source counts the more the earlier it enters and the larger its share.
    What never enters scores 0: the others say all that it could.  Equal sources each get what one of them alone would.
    ``nonnegative`` asks for a mixture, without sources taken away.  Some n³ operations: seconds for a thousand sources.

    Raises :class:`DataError` for shapes that do not fit and for NaN.
    """
    wanted, given = np.asarray(target, dtype=np.float64), np.asarray(sources, dtype=np.float64)
    if wanted.ndim != 1 or given.ndim != 2 or given.shape[1] != len(wanted):
        raise DataError(
            f"sources of shape {given.shape} do not fit a target of shape {wanted.shape}; give [n, d] to [d]"
        )
    if not np.isfinite(wanted).all() or not np.isfinite(given).all():
        raise DataError("the target or a source holds NaN or infinite numbers; leave it out")
    columns = _unit(given)
    there = np.flatnonzero(columns.any(axis=1))
    gram, start = columns[there] @ columns[there].T, columns[there] @ _unit(wanted[None])[0]
    same = (gram if nonnegative else np.abs(gram)) > 1 - _NOTHING
    one, which = np.unique([np.flatnonzero(row)[0] for row in same], return_inverse=True)
    found = np.zeros(len(given))
    if len(there):
        found[there] = _mean_size(gram[np.ix_(one, one)], start[one], nonnegative)[which]
    return found


def sampling_budget(relevance: ArrayLike, total: int, floor: int = 0) -> NDArray[np.int64]:
    """int64[n]: how many of ``total`` rows to draw from each source, ``floor`` for each and the rest by ``relevance``.

    Largest remainders, so that they sum to ``total``; equal shares where nothing is relevant.

    Raises :class:`SettingError` where the floors alone are more than ``total``, :class:`DataError` for a relevance that
    is negative or no number.
    """
    parts = np.asarray(relevance, dtype=np.float64)
    if parts.ndim != 1 or not np.isfinite(parts).all() or (parts < 0).any():
        raise DataError("relevance holds NaN, infinite or negative numbers; give one of 0 or more for each source")
    free = total - floor * len(parts)
    if floor < 0 or free < 0 or not len(parts):
        raise SettingError(
            f"{total} rows are not {floor} for each of {len(parts)} sources; ask for more, or a lower floor"
        )
    exact = free * (parts / parts.sum() if parts.any() else np.full(len(parts), 1 / len(parts)))
    whole = np.floor(exact).astype(np.int64)
    spare = np.argsort(whole - exact, kind="stable")[: free - int(whole.sum())]
    whole[spare] += 1
    return whole + floor


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of unit length; a row of zeros stays."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1.0)


def _mean_size(gram: NDArray[np.float64], start: Vector, nonnegative: bool) -> Vector:
    """Mean over λ of the sizes of the coefficients, which are linear between the knots of the path."""
    knots = list(_path(gram, start, nonnegative))
    levels = np.array([level for level, _ in knots])
    sizes = np.abs([coefficients for _, coefficients in knots])
    if levels[0] <= _NOTHING:
        return np.zeros(len(start))
    area = np.diff(-levels) @ (sizes[1:] + sizes[:-1]) / 2 + levels[-1] * sizes[-1]
    return area / levels[0]


def _path(gram: NDArray[np.float64], start: Vector, nonnegative: bool) -> Iterator[tuple[float, Vector]]:
    """λ and ν at the knots of the Lasso path, λ falling to about 0 (homotopy; Osborne et al. 2000, Efron et al. 2004).

    ``gram`` WᵀW and ``start`` Wᵀw, columns of unit length.  Between knots the active coefficients move so that the
    correlations of their columns with the residual all stay at ±λ; at a knot one enters or one leaves.
    """
    coefficients, left = np.zeros(len(start)), start
    level = float((start if nonnegative else np.abs(start)).max(initial=0.0))
    last = max(_LAST * level, _NOTHING)
    active, inverse = list[int](), np.zeros((0, 0))
    gone, dependent = -1, set[int]()
    for _ in range(10 * len(start) + 10):
        yield level, coefficients
        if level <= last:
            return
        move = np.zeros(len(start))
        move[active] = inverse @ np.sign(left[active])
        slope = gram @ move
        enters = _enters(left, slope, level, nonnegative)
        enters[[*active, *dependent]] = np.inf
        if gone >= 0 and enters[gone] <= _NOTHING:  # it left here, so it is still at ±λ
            enters[gone] = np.inf
        leaves = _leaves(coefficients, move)
        step = min(enters.min(), leaves.min(), level)
        coefficients, left, level = coefficients + step * move, left - step * slope, level - step
        gone = -1
        if leaves.min() == step:
            gone = int(leaves.argmin())
            inverse = _without(inverse, active.index(gone))
            active.remove(gone)
            coefficients[gone], dependent = 0.0, set()
        elif enters.min() == step:
            new = int(enters.argmin())
            wider = _with(inverse, gram[active, new])
            (dependent.add if wider is None else active.append)(new)
            inverse = inverse if wider is None else wider


def _enters(left: Vector, slope: Vector, level: float, nonnegative: bool) -> Vector:
    """How far λ falls until each correlation ``left`` - step * ``slope`` is as large as λ."""
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where(1 - slope > _NOTHING, (level - left) / (1 - slope), np.inf)
        down = np.where(1 + slope > _NOTHING, (level + left) / (1 + slope), np.inf)
    return np.maximum(up if nonnegative else np.minimum(up, down), 0.0)


def _leaves(coefficients: Vector, move: Vector) -> Vector:
    """How far λ falls until each coefficient is 0; never for one that is, or that grows."""
    shrinks = coefficients * move < 0
    return np.divide(-coefficients, move, out=np.full(len(move), np.inf), where=shrinks)


def _with(inverse: NDArray[np.float64], shared: Vector) -> NDArray[np.float64] | None:
    """The inverse Gram matrix of the active columns and one more of unit length; None if that one depends on them.

    ``shared`` are its inner products with them (inversion by bordering).
    """
    mix = inverse @ shared
    rest = 1 - float(shared @ mix)
    if rest <= _NOTHING:
        return None
    wider = np.empty((len(mix) + 1, len(mix) + 1))
    wider[:-1, :-1] = inverse + np.outer(mix, mix / rest)
    wider[-1, :-1] = wider[:-1, -1] = -mix / rest
    wider[-1, -1] = 1 / rest
    return wider


def _without(inverse: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    """The inverse Gram matrix of the other active columns."""
    others = np.arange(len(inverse)) != place
    column = inverse[others, place]
    return inverse[np.ix_(others, others)] - np.outer(column, column / inverse[place, place])
