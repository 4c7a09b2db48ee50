"""Take out of a vector what works against another one, such as a safety vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.methods._method import by_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine, Inputs


@dataclass(frozen=True)
class Remove:
    """Numbers of the first vector whose sign opposes the second's are dropped, and the rest is made as long as before.

    After IRR (Identify, remove and recalibrate, arXiv 2412.17034): what is removed is found by sign alone, and
    recalibration is a factor for each tensor instead of one for each number, which would need data.
    """

    recalibrate: bool = True

    whole = True

    def over(self, inputs: Inputs) -> Combine:
        if len(inputs.carriers) != 2:
            raise SettingError(f"remove takes a vector and the one to guard, and {len(inputs.carriers)} were given")
        return by_tensor(inputs, lambda deltas, _: self._kept(deltas, inputs.weights))

    def told(self, weights: Sequence[float]) -> Sequence[float]:
        """The guard takes away, and adds nothing."""
        return [weights[0], 0.0]

    def _kept(self, deltas: Sequence[NDArray[Any]], weights: tuple[float, ...]) -> NDArray[Any]:
        delta, guard = (tau.dtype.type(weight) * tau for weight, tau in zip(weights, deltas, strict=True))
        kept = np.where(delta * np.sign(guard) < 0, 0, delta)
        left = float(np.linalg.norm(kept.astype(np.float64)))
        if not self.recalibrate or not left:
            return kept
        return kept * kept.dtype.type(np.linalg.norm(delta.astype(np.float64)) / left)
