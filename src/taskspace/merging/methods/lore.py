"""LoRE-Merging (arXiv 2502.10749): a base and low-rank differences estimated from the models alone."""

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
class Lore:
    """``min over base, delta of sum |base + delta_t - theta_t|^2 + mu * sum |delta_t|_*`` for each matrix.

    By turns: each difference is the remainder with its singular values lowered by ``mu / 2``, and the base the mean of
    what the differences leave.  The result is the base plus ``share`` times the weighted mean of the differences.
    Meant for models without a base (``TaskVector.diff(model, None)``); what is no matrix is averaged.  The penalty is
    the plain nuclear norm, which is what lowering by a constant solves.
    """

    mu: float = 0.01
    share: float = 1.0
    iterations: int = 100
    tolerance: float = 1e-6

    whole = True

    def __post_init__(self) -> None:
        if not 0 <= self.mu < np.inf or self.iterations < 1:
            raise SettingError(f"mu is {self.mu} and iterations {self.iterations}; give at least 0 and 1")

    def over(self, inputs: Inputs) -> Combine:
        shares(inputs.weights)  # raises now, and not while it is written
        return by_tensor(inputs, lambda models, _: self._merged(models, inputs.weights))

    def _merged(self, models: Sequence[NDArray[Any]], weights: tuple[float, ...]) -> NDArray[Any]:
        if models[0].ndim != 2:
            return weighted_sum(models, shares(weights))
        base, deltas = self.split([model.astype(np.float64) for model in models])
        merged = base + self.share * weighted_sum(deltas, shares(weights))
        return merged.astype(models[0].dtype)

    def split(self, models: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """The base, float64[m, n], and a difference for each model."""
        base = np.mean(models, axis=0)
        deltas = [np.zeros_like(base) for _ in models]
        for _ in range(self.iterations):
            deltas = [lowered(model - base, self.mu / 2) for model in models]
            before, base = base, np.mean([m - d for m, d in zip(models, deltas, strict=True)], axis=0)
            if np.linalg.norm(base - before) <= self.tolerance * np.linalg.norm(before):
                break
        return base, deltas


def lowered(matrix: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """Every singular value lowered, none below 0: the proximal step of the nuclear norm."""
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    return (u * np.maximum(s - by, 0)) @ vt
