"""One base for several vectors, and what each adds to it (RTVQ, arXiv 2503.06921)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.merging.codecs._codec import Bound, Held, Tensor, Within, rounding
from taskspace.merging.codecs.affine import Affine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.merging.codecs._codec import Part, Parts
    from taskspace.merging.numbers import Spec
    from taskspace.merging.window import Window

BASE = "base"
"""Prefix of the parts that all vectors share."""


@dataclass(frozen=True)
class Residual:
    """``base + offset``, with the base of ``base_bits`` and the offset, of one vector, of ``offset_bits``.

    The offset is taken against the base as it is read back, so the base's own error is made good by it: what is left
    is at most half a step of the offset, whose range is narrower than the vector's.
    """

    index: int
    base_bits: int = 3
    offset_bits: int = 2
    group: int | None = None

    def sizes(self, spec: Spec) -> Mapping[str, int | None]:
        shared = {f"{BASE}:{part}": size for part, size in self._base.sizes(spec).items()}
        return {**shared, **{f"{self.index}:{part}": size for part, size in self._offset.sizes(spec).items()}}

    def decode(self, parts: Parts, spec: Spec, start: int, stop: int) -> NDArray[Any]:
        shared = self._base.decode(Within(parts, BASE), spec, start, stop)
        return shared + self._offset.decode(Within(parts, str(self.index)), spec, start, stop)

    def bound(self, parts: Parts, spec: Spec) -> Bound:
        """Of the offset, and the roundings of taking it and adding it."""
        own = self._offset.bound(Within(parts, str(self.index)), spec)
        ends = [np.abs(Within(parts, w).read(end)) for w in (BASE, str(self.index)) for end in ("low", "high")]
        more = rounding(spec.dtype, sum(float(np.max(end, initial=0)) for end in ends))
        return Bound(own.each + more, own.norm + more * spec.size**0.5)

    @property
    def _base(self) -> Affine:
        return Affine(self.base_bits, self.group)

    @property
    def _offset(self) -> Affine:
        return Affine(self.offset_bits, self.group)


@dataclass(frozen=True, eq=False)
class Residuals:
    """Stores one tensor of several vectors: the base is their mean."""

    tensors: Mapping[int, Tensor]
    base: Affine
    offset: Affine

    def parts(self, tensor: Tensor) -> Mapping[str, Spec]:
        """``tensor`` is their mean."""
        shared = {f"{BASE}:{part}": spec for part, spec in self.base.parts(tensor).items()}
        own = {f"{i}:{part}": spec for i, one in self.tensors.items() for part, spec in self.offset.parts(one).items()}
        return {**shared, **own}

    def encode(self, tensor: Tensor) -> Iterator[Part]:
        """The base stays in memory, in its few bits, while the offsets to it are taken, one vector after the other."""
        shared = [(part, list(pieces)) for part, pieces in self.base.encode(tensor)]
        yield from ((f"{BASE}:{part}", pieces) for part, pieces in shared)
        held = Held(shared)
        for i, one in self.tensors.items():
            offset = Tensor(one.name, one.spec, partial(self._minus, one, held), one.stretch)
            yield from ((f"{i}:{part}", pieces) for part, pieces in self.offset.encode(offset))

    def _minus(self, tensor: Tensor, held: Parts, window: Window) -> NDArray[Any]:
        return tensor.numbers(window) - self.base.decode(held, tensor.spec, window.start, window.stop)


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """Their average, in float64 and rounded once."""

    def read(window: Window) -> NDArray[Any]:
        total = np.zeros(window.stop - window.start)
        for tensor in tensors:
            total += tensor.numbers(window)
        return total / len(tensors)

    return Tensor(tensors[0].name, tensors[0].spec, read, max(tensor.stretch for tensor in tensors))
