"""Between two models: along the line, or along the arc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.methods._method import by_tensor, linear, weighted_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs

_PARALLEL = 1e-6
"""A sine below which two directions are one, and the arc is the line."""


@dataclass(frozen=True)
class Lerp:
    """``(1 - alpha) a + alpha b``, which is the same of vectors and of models."""

    alpha: float = 0.5

    whole = False

    def coefficients(self, weights: Sequence[float]) -> Sequence[float]:
        _require_two(len(weights), "lerp")
        _require_none(weights, "lerp", "alpha")
        return [1 - self.alpha, self.alpha]

    def over(self, inputs: Inputs) -> Combine:
        return linear(self, inputs)


@dataclass(frozen=True)
class Slerp:
    """``sin((1-alpha) W)/sin W a + sin(alpha W)/sin W b`` per tensor, W the angle between (Shoemake, 1985).

    The arc runs between the vectors; of models without a base, between the models.
    """

    alpha: float = 0.5

    whole = True

    def over(self, inputs: Inputs) -> Combine:
        _require_two(len(inputs.carriers), "slerp")
        _require_none(inputs.weights, "slerp", "alpha")
        return by_tensor(inputs, lambda deltas, _: self._between(deltas))

    def told(self, weights: Sequence[float]) -> Sequence[float]:  # noqa: ARG002  # there are none
        """The shares of the way, which is the arc's in each tensor."""
        return [1 - self.alpha, self.alpha]

    def _between(self, deltas: Sequence[NDArray[Any]]) -> NDArray[Any]:
        one, two = (delta.astype(np.float64).reshape(-1) for delta in deltas)
        scale = float(np.linalg.norm(one) * np.linalg.norm(two))
        angle = float(np.arccos(np.clip(one @ two / scale, -1, 1))) if scale else 0.0
        sine = np.sin(angle)
        weights = (
            [1 - self.alpha, self.alpha]
            if sine < _PARALLEL
            else [np.sin((1 - self.alpha) * angle) / sine, np.sin(self.alpha * angle) / sine]
        )
        return weighted_sum(deltas, [float(weight) for weight in weights])


@dataclass(frozen=True)
class Ema:
    """Momentum: ``m <- momentum * m + (1 - momentum) * tau``, over vectors from the oldest to the newest.

    The exponential moving average of checkpoints (Mean teachers, arXiv 1703.01780, equation 2), begun at the first one.
    """

    momentum: float = 0.9

    whole = False

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise SettingError(f"momentum is {self.momentum}; give at least 0 and less than 1")

    def coefficients(self, weights: Sequence[float]) -> Sequence[float]:
        _require_none(weights, "ema", "momentum")
        last = len(weights) - 1
        return [self.momentum ** (last - k) * (1 - self.momentum if k else 1) for k in range(last + 1)]

    def over(self, inputs: Inputs) -> Combine:
        return linear(self, inputs)


def _require_two(count: int, name: str) -> None:
    if count != 2:
        raise SettingError(f"{name} goes from one vector to another, and {count} were given; give two")


def _require_none(weights: Sequence[float], name: str, instead: str) -> None:
    """Weights that would go for nothing; 1 each is what is said where none are."""
    if any(weight != 1 for weight in weights):
        raise SettingError(f"{name} goes by {instead}, and weights {list(weights)} were given; leave them out")
