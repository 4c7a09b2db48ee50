"""Methods that see a weight matrix by its singular directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.methods._method import by_tensor, weighted_sum
from taskspace.merging.methods.sums import shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs


@dataclass(frozen=True)
class Tsv:
    """TSV-Merge (Task Singular Vectors, arXiv 2412.00081, algorithm 1).

    Of each matrix the first ``rank`` singular directions are kept, by default an equal part of all for each task;
    those of all tasks are then made orthogonal, each side by its polar factor, so that tasks do not interfere.
    What is no matrix is averaged.
    """

    rank: int | None = None

    whole = True

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise SettingError(f"rank is {self.rank}; give at least 1, or leave it out")

    def over(self, inputs: Inputs) -> Combine:
        return by_tensor(inputs, lambda deltas, _: self._merged(deltas, inputs.weights))

    def _merged(self, deltas: Sequence[NDArray[Any]], weights: tuple[float, ...]) -> NDArray[Any]:
        if deltas[0].ndim != 2:
            return weighted_sum(deltas, shares(weights))
        kept = self.rank or max(min(deltas[0].shape) // len(deltas), 1)
        parts = [np.linalg.svd(delta, full_matrices=False) for delta in deltas]
        u = np.concatenate([u[:, :kept] for u, _, _ in parts], axis=1)
        s = np.concatenate([weight * s[:kept] for weight, (_, s, _) in zip(weights, parts, strict=True)])
        vt = np.concatenate([vt[:kept] for _, _, vt in parts])
        says = np.abs(s) > _noise(s, deltas[0].shape)
        u, s, vt = u[:, says], s[says], vt[says]
        return ((polar(u) * s) @ polar(vt)).astype(deltas[0].dtype, copy=False)


@dataclass(frozen=True)
class Iso:
    """ISO-C (No Task Left Behind, arXiv 2502.04959): the sum with every singular value set to their mean.

    What is no matrix is averaged.
    """

    whole = True

    def over(self, inputs: Inputs) -> Combine:
        return by_tensor(inputs, lambda deltas, _: _flattened(deltas, inputs.weights))


def _flattened(deltas: Sequence[NDArray[Any]], weights: tuple[float, ...]) -> NDArray[Any]:
    if deltas[0].ndim != 2:
        return weighted_sum(deltas, shares(weights))
    total = weighted_sum(deltas, weights)
    u, s, vt = np.linalg.svd(total, full_matrices=False)
    return (s.mean() * (u @ vt)).astype(total.dtype, copy=False)


def polar(matrix: NDArray[Any]) -> NDArray[Any]:
    """The nearest matrix with orthonormal columns, or rows where there are more columns: ``P Q'`` of its SVD."""
    p, _, qt = np.linalg.svd(matrix, full_matrices=False)
    return p @ qt


def _noise(values: NDArray[Any], shape: tuple[int, ...]) -> float:
    """Singular values below it are rounding, and their directions arbitrary."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return largest * max(shape) * float(np.finfo(values.dtype).eps)
