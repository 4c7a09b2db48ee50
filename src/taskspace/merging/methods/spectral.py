"""Methods that see a weight matrix by its singular directions.

These are found from the Gram matrix ``A'A`` in float64, several times quicker than by a decomposition of A, and no less
exact for numbers that were float32: what is lost lies below the square root of float64's precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.methods._method import weighted_sum
from taskspace.merging.methods.sums import shares
from taskspace.merging.methods.tall import by_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs
    from taskspace.merging.methods.tall import ByRows, Tall

_ALIKE = 1e-10
"""Of the largest eigenvalue: below it, directions of two tasks are one, and no direction is made up between them."""


@dataclass(frozen=True)
class Tsv:
    """TSV-Merge (Task Singular Vectors, arXiv 2412.00081, algorithm 1).

    Of each matrix the first ``rank`` singular directions are kept, by default an equal part of all for each task;
    those of all tasks are then made orthogonal, each side by its polar factor, so that tasks do not interfere.
    What is no matrix is averaged.
    """

    rank: int | None = None

    whole = False

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise SettingError(f"rank is {self.rank}; give at least 1, or leave it out")

    def over(self, inputs: Inputs) -> Combine:
        _require_averages(inputs)
        return by_rows(inputs, lambda tall: self._prepared(tall, inputs.weights))

    def _prepared(self, tall: Tall, weights: tuple[float, ...]) -> ByRows:
        """U stays ``A V / s`` and is made a few rows at a time; all else is of the smaller side."""
        shape = tall.inputs.layout[tall.name].shape
        kept = self.rank or max(min(shape) // len(weights), 1)
        parts = [_directions(gram, kept) for gram in tall.grams(lambda rows: rows)]
        cut = noise(max(abs(w) * s[0] for w, (s, _) in zip(weights, parts, strict=True)), shape)
        says = [abs(w) * s > cut for w, (s, _) in zip(weights, parts, strict=True)]
        singular = np.concatenate([w * s[e] for w, (s, _), e in zip(weights, parts, says, strict=True)])
        v = np.concatenate([v[:, e] for (_, v), e in zip(parts, says, strict=True)], axis=1)
        ups = [v[:, e] / s[e] for (s, v), e in zip(parts, says, strict=True)]

        def u(rows: Any) -> NDArray[np.float64]:
            return np.concatenate([matrix @ up for matrix, up in zip(rows, ups, strict=True)], axis=1)

        (between,) = tall.grams(lambda rows: [u(rows)])
        to_v = inverse_root(between) * singular @ inverse_root(v.T @ v) @ v.T
        return lambda rows: u(rows) @ to_v


@dataclass(frozen=True)
class Iso:
    """ISO-C (No Task Left Behind, arXiv 2502.04959): the sum with every singular value set to their mean.

    What is no matrix is averaged; directions that the sum does not have stay without.
    """

    whole = False

    def over(self, inputs: Inputs) -> Combine:
        _require_averages(inputs)
        return by_rows(inputs, lambda tall: _flattened(tall, inputs.weights))


def _require_averages(inputs: Inputs) -> None:
    """Weights that have a mean, where something is averaged: told now, and not while it is written."""
    if any(len(spec.shape) != 2 for spec in inputs.layout.values()):
        shares(inputs.weights)


def _flattened(tall: Tall, weights: tuple[float, ...]) -> ByRows:
    (gram,) = tall.grams(lambda rows: [weighted_sum(rows, weights)])
    s, v = _directions(gram, len(gram))
    has = s > noise(s[0], tall.inputs.layout[tall.name].shape)
    level = (v[:, has] / s[has] * s[has].mean()) @ v[:, has].T if has.any() else np.zeros_like(gram)
    return lambda rows: weighted_sum(rows, weights) @ level


def inverse_root(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """``G^(-1/2)``, so that ``X G^(-1/2)`` is the polar factor of X with ``G = X'X``; zero where X has no direction."""
    values, q = np.linalg.eigh(gram)
    has = values > _ALIKE * np.max(values, initial=0.0)
    return q[:, has] / np.sqrt(values[has]) @ q[:, has].T


def _directions(gram: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first singular values, float64[count], and right directions, float64[n, count], largest first."""
    values, q = np.linalg.eigh(gram)
    return np.sqrt(np.maximum(values[::-1][:count], 0)), q[:, ::-1][:, :count]


def noise(largest: float, shape: tuple[int, ...]) -> float:
    """Singular values below it are rounding of float32, and their directions arbitrary."""
    return float(largest) * max(shape) * float(np.finfo(np.float32).eps)
