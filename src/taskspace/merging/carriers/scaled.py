"""A carrier with a coefficient of its own for each tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.merging.checkpoint import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from taskspace.merging.carriers._carrier import Carrier
    from taskspace.merging.checkpoint import Layout
    from taskspace.merging.window import Window


@dataclass(frozen=True, eq=False)
class Scaled:
    """``factors[name] * carrier``, 1 where no factor is named."""

    carrier: Carrier
    factors: Mapping[str, float]

    @property
    def layout(self) -> Layout:
        return self.carrier.layout

    @property
    def whole(self) -> bool:
        return self.carrier.whole

    def block(self, window: Window) -> NDArray[Any]:
        block = self.carrier.block(window)
        return block.dtype.type(self.factors.get(window.name, 1.0)) * block

    def identity(self) -> str:
        return named(self.carrier.identity(), f"{sorted(self.factors.items())}")
