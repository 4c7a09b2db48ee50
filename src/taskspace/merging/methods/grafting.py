"""The few numbers that carry a skill (Task-specific skill localization, arXiv 2302.06600, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.methods._method import Inputs
from taskspace.merging.methods._table import require_share
from taskspace.merging.methods.cuts import Cuts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.merging.methods._method import Combine
    from taskspace.merging.window import Window


@dataclass(frozen=True)
class Graft:
    """Of a vector what stands in the places of its ``density`` largest changes, over all tensors; 0 elsewhere.

    With a second vector the places are those of that one: with ``density`` 1 all that it changes, so that a mask is a
    vector of ones and zeros.  Applied to the base this grafts the skill onto it.  The paper learns the mask, beginning
    with one of the largest changes; here it is brought along.
    """

    density: float = 0.01

    whole = False

    def __post_init__(self) -> None:
        require_share("density", self.density)

    def told(self, weights: Sequence[float]) -> Sequence[float]:
        """A guide says where, and adds nothing."""
        return [weights[0], *(0.0 for _ in weights[1:])]

    def over(self, inputs: Inputs) -> Combine:
        if len(inputs.carriers) > 2:
            raise SettingError(f"graft takes a vector, and one whose places count; {len(inputs.carriers)} were given")
        own = Inputs(inputs.carriers[:1], inputs.weights[:1])
        guide = Inputs(inputs.carriers[-1:], (1.0,))
        cuts = Cuts(guide, self.density, model=True)

        def combine(window: Window) -> NDArray[Any]:
            (delta,) = own.read(window)
            if window.name not in guide.layout:
                return np.zeros_like(delta)
            (placed,) = cuts.trimmed(window)
            return np.where(placed != 0, delta.dtype.type(own.weights[0]) * delta, 0)

        return combine
