"""Fine-tuned minus base (Editing Models with Task Arithmetic, arXiv 2212.04089, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.merging.checkpoint import digest, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Layout, Weights
    from taskspace.merging.window import Window


@dataclass(frozen=True, eq=False)
class Difference:
    """``tuned - base``; without a base, the tuned weights themselves (a difference to zero)."""

    tuned: Weights
    base: Weights | None
    layout: Layout

    whole = False

    def block(self, window: Window) -> NDArray[Any]:
        tuned = window.of(self.tuned)
        return tuned if self.base is None else tuned - window.of(self.base)

    def identity(self) -> str:
        read = [weights for weights in (self.tuned, self.base) if weights is not None]
        return named(*(digest(weights, name) for weights in read for name in self.layout))
