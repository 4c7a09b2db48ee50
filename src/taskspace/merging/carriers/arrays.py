"""A vector that is in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskspace.merging.checkpoint import digest, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import InMemory, Layout
    from taskspace.merging.window import Window


@dataclass(frozen=True, eq=False)
class Arrays:
    """Differences by name, as they are."""

    tensors: InMemory

    whole = False

    @property
    def layout(self) -> Layout:
        return self.tensors.layout

    def block(self, window: Window) -> NDArray[Any]:
        return window.of(self.tensors)

    def identity(self) -> str:
        return named(*(digest(self.tensors, name) for name in self.layout))
