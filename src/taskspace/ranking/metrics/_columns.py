"""What every metric asks of its columns, refused in one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, SettingError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def columns(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truth and scores as float64[n], n > 0; raises :class:`DataError` for NaN, or a truth that is infinite."""
    worth, given = aligned(truth=truth, scores=scores)
    if np.isinf(worth).any():
        raise DataError("truth holds an infinite value, which no more than NaN can be averaged; leave it out")
    return worth, given


def aligned(**named: ArrayLike) -> list[NDArray[np.float64]]:
    """Columns of one length as float64[n], n > 0; raises :class:`DataError` for other shapes and for NaN."""
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in named.items()}
    shapes = {values.shape for values in arrays.values()}
    if len(shapes) > 1 or len(shape := shapes.pop()) != 1 or not shape[0]:
        seen = " and ".join(f"{name} of shape {values.shape}" for name, values in arrays.items())
        wrong = "do not match; give one per name" if len(arrays) > 1 else "are no column; give one number per target"
        raise DataError(f"{seen} {wrong}")
    for name, values in arrays.items():
        if missing := int(np.isnan(values).sum()):
            raise DataError(f"{name} holds NaN at {missing} of {len(values)} places; leave those out")
    return list(arrays.values())


def first(k: int, candidates: int) -> int:
    """How many are looked at, at most all; raises :class:`SettingError` for none."""
    if k < 1:
        raise SettingError(f"k is {k}; look at the first 1 at least")
    return min(k, candidates)


def scaled(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 for the worst to 1 for the best; all 0 where there is no better."""
    spread = float(np.ptp(worth))
    return (worth - worth.min()) / spread if spread else np.zeros(len(worth))
