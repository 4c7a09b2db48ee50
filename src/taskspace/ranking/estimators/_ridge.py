"""Ridge regression judged on each row by all others, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.estimators._spectrum import left_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIDGES = tuple(10.0**power for power in range(-6, 1))
"""Penalties to choose from, as shares of the features' total sum of squares about their mean."""


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Features float64[n, d] and columns float64[n, c], both centred: regressions with an intercept, row by row."""

    features: NDArray[np.float64]
    columns: NDArray[np.float64]

    def errors(self, ridge: float) -> NDArray[np.float64]:
        """What each row misses, float64[n, c], by the regression on all other rows (their means taken anew).

        Rifkin and Lippert, "Notes on Regularized Least Squares" (2007): the error of the fit to all rows, divided by
        1 less the row's leverage.
        """
        strengths, left, along, outside = self._parts
        lost = ridge * strengths.sum() / (strengths + ridge * strengths.sum())
        gaps = np.maximum(outside + left**2 @ lost, np.finfo(np.float64).tiny)
        misses = self.columns - left @ ((1 - lost)[:, None] * along)
        return misses / gaps[:, None]

    def best(self) -> tuple[float, NDArray[np.float64]]:
        """The penalty of :data:`RIDGES` with the least squared error, the largest of equals; and its errors."""
        tried = ((ridge, self.errors(ridge)) for ridge in reversed(RIDGES))
        return min(tried, key=lambda pair: float(np.einsum("ij,ij->", pair[1], pair[1])))

    @cached_property
    def _parts(self) -> tuple[NDArray[np.float64], ...]:
        strengths, left = left_vectors(self.features)
        # A row's leverage is 1/n for the intercept and its squared length along what the ridge keeps of F.
        outside = 1 - 1 / len(left) - np.einsum("ij,ij->i", left, left)
        return strengths, left, left.T @ self.columns, np.maximum(outside, 0.0)
