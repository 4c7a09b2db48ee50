"""A stretch of one tensor, over which all vectors are read in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.merging.numbers import Unfit, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from taskspace.merging.checkpoint import Layout, Weights
    from taskspace.merging.numbers import Spec

STRETCH = 1 << 18
"""Numbers in a window: 1 MB for each vector as float32, which stays in a processor's cache from step to step."""


@final
class Window:
    """Numbers ``start`` to ``stop`` of the flattened tensor ``name``.

    Each checkpoint is read once, however many vectors were taken from it: a base stands under all of them.
    """

    def __init__(self, name: str, start: int, stop: int) -> None:
        self.name, self.start, self.stop = name, start, stop
        self._read: dict[Weights, NDArray[Any]] = {}

    def __repr__(self) -> str:
        return f"Window({self.name!r}, {self.start}, {self.stop})"

    def whole(self, spec: Spec) -> Window:
        """All of its tensor: this one with what it has read, where it is all."""
        return self if (self.start, self.stop) == (0, spec.size) else Window(self.name, 0, spec.size)

    def of(self, weights: Weights) -> NDArray[Any]:
        """What a checkpoint has there, float32[stop - start]; raises :class:`WeightsError` for NaN and infinity."""
        if weights not in self._read:
            values = decode(weights.stored(self.name, self.start, self.stop), weights.layout[self.name].dtype)
            if not np.isfinite(values).all():
                raise Unfit(f"{self.name!r} of {weights.name} holds NaN or infinity; leave that model out")
            self._read[weights] = values
        return self._read[weights]


def windows(name: str, spec: Spec, stretch: int = STRETCH) -> Iterator[Window]:
    """A tensor in windows of whole rows where a row fits in, else of so many numbers; one of an empty tensor."""
    row = spec.size // spec.shape[0] if spec.shape and spec.shape[0] else spec.size
    step = max(stretch // row * row, row) if 0 < row <= stretch else max(stretch, 1)
    for start in range(0, max(spec.size, 1), step):
        yield Window(name, start, min(start + step, spec.size))


def floating(layout: Layout) -> Layout:
    """The tensors that merging works on."""
    return {name: spec for name, spec in layout.items() if spec.floating}
