"""Keep the largest numbers of each vector: magnitude pruning, and TIES (arXiv 2306.01708, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.methods._method import weighted_sum
from taskspace.merging.methods._table import require_share
from taskspace.merging.methods.cuts import Cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs
    from taskspace.merging.window import Window


Trim: TypeAlias = Literal["tensor", "model"]
"""Whether the largest are those of each tensor or of the whole vector."""


@dataclass(frozen=True)
class _Trimming:
    """What both methods keep of each vector: the ``density`` largest of each tensor, or of the whole vector."""

    density: float = 0.2
    trim: Trim = "tensor"

    whole = False

    def __post_init__(self) -> None:
        require_share("density", self.density)
        if self.trim not in ("tensor", "model"):
            raise SettingError(f"trim is {self.trim!r}; say tensor or model")

    def trimmed(self, inputs: Inputs) -> Callable[[Window], list[NDArray[Any]]]:
        return Cuts(inputs, self.density, model=self.trim == "model").trimmed


@dataclass(frozen=True)
class Magnitude(_Trimming):
    """The ``density`` largest of each tensor of each vector, or of each whole vector, then :class:`Sum`.

    Of a single vector with ``trim`` "model" this is a skill grafted by its largest changes (Skill localization, arXiv
    2302.06600, section 2, without the learned mask): a density of 0.01 is often enough.
    """

    def over(self, inputs: Inputs) -> Combine:
        trimmed = self.trimmed(inputs)
        return lambda window: weighted_sum(trimmed(window), inputs.weights)


@dataclass(frozen=True)
class Ties(_Trimming):
    """Trim, elect a sign for each number, and average those that agree with it.

    Votes are weighted, and the sum is divided by the weights that agree: a common factor of the weights is lost, and
    the size is set by the scale alone.  ``trim`` "tensor" keeps the largest of each tensor, "model" those of the
    whole vector, as the paper has it, which takes a pass of its own.
    """

    def over(self, inputs: Inputs) -> Combine:
        trimmed = self.trimmed(inputs)
        return lambda window: elect(trimmed(window), inputs.weights)


def elect(deltas: Sequence[NDArray[Any]], weights: Sequence[float]) -> NDArray[Any]:
    """The weighted mean of what agrees in sign with the weighted sum; plus where that is 0, and 0 where none agrees."""
    votes = weighted_sum(deltas, weights)
    sign = np.where(votes < 0, -1, 1).astype(votes.dtype)
    total, agreeing = np.zeros_like(votes), np.zeros_like(votes)
    for weight, delta in zip(weights, deltas, strict=True):
        own = delta.dtype.type(weight) * delta
        agrees = own * sign > 0
        total += np.where(agrees, own, 0)
        agreeing += np.where(agrees, delta.dtype.type(abs(weight)), 0)
    return np.divide(total, agreeing, out=np.zeros_like(total), where=agreeing > 0)
