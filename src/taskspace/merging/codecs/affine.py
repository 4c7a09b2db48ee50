"""A few bits for each number, evenly between the least and the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError, WeightsError
from taskspace.merging.codecs._codec import Bound, rounding
from taskspace.merging.codecs.packing import TOGETHER, pack, packed_bytes, unpack
from taskspace.merging.numbers import FLOATING, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.merging.codecs._codec import Part, Parts, Tensor


@dataclass(frozen=True)
class Affine:
    """``low + q * step`` with q of ``bits`` bits and ``step = (high - low) / (2^bits - 1)`` (TVQ, arXiv 2503.06921).

    ``low`` and ``high`` are the extremes of the tensor, or of each ``group`` of numbers in a row, and come back as they
    were, as do constants.  The error of a number is at most ``step / 2``, and the rounding of the sum to float32.
    """

    bits: int
    group: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise SettingError(f"bits is {self.bits}; give 1 to 8")
        if self.group is not None and self.group < 1:
            raise SettingError(f"group is {self.group}; give numbers that share a range, such as 128, or leave it out")

    def fitted(self, spec: Spec) -> Affine:  # noqa: ARG002  # fits every shape
        return self

    def sizes(self, spec: Spec) -> Mapping[str, int]:
        groups = -(-spec.size // self._width(spec))
        return {"low": groups, "high": groups, "codes": packed_bytes(spec.size, self.bits)}

    def parts(self, tensor: Tensor) -> Mapping[str, Spec]:
        kinds = {"low": tensor.spec.dtype, "high": tensor.spec.dtype, "codes": "U8"}
        return {part: Spec(kinds[part], (size,)) for part, size in self.sizes(tensor.spec).items()}

    def encode(self, tensor: Tensor) -> Iterator[Part]:
        low, high = self._ranges(tensor)
        yield "low", [low]
        yield "high", [high]
        yield "codes", self._codes(tensor, low, high)

    def decode(self, parts: Parts, spec: Spec, start: int, stop: int) -> NDArray[Any]:
        begin = start // TOGETHER * TOGETHER
        stored = parts.read("codes", begin * self.bits // 8, packed_bytes(stop, self.bits))
        codes = unpack(stored, self.bits, stop - begin)[start - begin :]
        width = self._width(spec)
        first, last = start // width, -(-stop // width)
        low, high = (parts.read(end, first, last).astype(np.float64)[:, None] for end in ("low", "high"))
        q = np.arange(self._most + 1)
        levels = ((low * (self._most - q) + high * q) / self._most).astype(FLOATING[spec.dtype])  # exact at both ends
        if len(levels) == 1:
            return levels[0][codes]
        return levels[np.arange(start, stop) // width - first, codes]

    def bound(self, parts: Parts, spec: Spec) -> Bound:
        low, high = parts.read("low"), parts.read("high")
        _, step = self._steps(low, high)
        largest = float(np.max(np.maximum(np.abs(low), np.abs(high)), initial=0))
        each = step / 2 + rounding(spec.dtype, largest)
        width = self._width(spec)
        counts = np.minimum(spec.size - np.arange(len(step)) * width, width)
        return Bound(float(np.max(each, initial=0)), math.sqrt(float(np.sum(counts * each**2))))

    def _width(self, spec: Spec) -> int:
        return self.group or max(spec.size, 1)

    def _unit(self) -> int:
        return math.lcm(TOGETHER, self.group or 1)

    def _ranges(self, tensor: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
        """The extremes of each group."""
        width, count = self._width(tensor.spec), self.sizes(tensor.spec)["low"]
        low, high = np.full(count, np.inf, tensor.dtype), np.full(count, -np.inf, tensor.dtype)
        for at, piece in tensor.pieces(self._unit()):
            begins = np.arange(0, len(piece), width)
            here = slice(at // width, at // width + len(begins))
            low[here] = np.minimum(low[here], np.minimum.reduceat(piece, begins))
            high[here] = np.maximum(high[here], np.maximum.reduceat(piece, begins))
        with np.errstate(over="ignore"):  # told of here
            if not np.isfinite([self._most * np.abs(end.astype(np.float64)) for end in (low, high)]).all():
                raise WeightsError(f"{tensor.name!r} of the vector holds numbers beyond 1e305; save it as raw")
        return low, high

    def _codes(self, tensor: Tensor, low: NDArray[Any], high: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
        start, step = self._steps(low, high)
        step[step == 0] = 1  # of a constant, which is 0 above itself
        width = self._width(tensor.spec)
        for at, piece in tensor.pieces(self._unit()):
            which = np.arange(at, at + len(piece)) // width if len(low) > 1 else slice(None)
            codes = np.rint((piece - start[which]) / step[which])
            yield pack(np.clip(codes, 0, self._most).astype(np.uint8), self.bits)

    def _steps(self, low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        begin = low.astype(np.float64)
        return begin, (high.astype(np.float64) - begin) / self._most

    @property
    def _most(self) -> int:
        return 2**self.bits - 1
