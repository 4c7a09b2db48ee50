"""Only the numbers that are not zero, or only the largest, each with its place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.codecs._codec import Bound
from taskspace.merging.numbers import FLOATING, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.merging.codecs._codec import Part, Parts, Tensor


@dataclass(frozen=True)
class Sparse:
    """Places and values: of all that is not zero, which loses nothing, or of the ``density`` largest of each tensor.

    Of equal numbers the first are kept.  The error of a number that is left out is the number, so none is larger than
    the least that is kept; their largest, and their length, are stored.
    """

    density: float | None = None

    def __post_init__(self) -> None:
        if self.density is not None and not 0 < self.density <= 1:
            raise SettingError(f"density is {self.density}; give the share of numbers to keep, above 0 and at most 1")

    def fitted(self, spec: Spec) -> Sparse:  # noqa: ARG002  # fits every shape
        return self

    def sizes(self, spec: Spec) -> Mapping[str, int | None]:  # noqa: ARG002  # as many as were kept
        return {"places": None, "values": None, "error": 2}

    def parts(self, tensor: Tensor) -> Mapping[str, Spec]:
        count = len(self._places(tensor.flat()))
        index = "U32" if tensor.spec.size <= 1 << 32 else "U64"
        values = Spec(tensor.spec.dtype, (count,))
        return {"places": Spec(index, (count,)), "values": values, "error": Spec("F64", (2,))}

    def encode(self, tensor: Tensor) -> Iterator[Part]:
        numbers = tensor.flat()
        places = self._places(numbers)
        index = np.uint32 if tensor.spec.size <= 1 << 32 else np.uint64
        lost = numbers.astype(np.float64)
        lost[places] = 0
        error = np.array([np.max(np.abs(lost), initial=0), math.sqrt(float(lost @ lost))])
        yield "places", [places.astype(index)]
        yield "values", [numbers[places]]
        yield "error", [error]

    def decode(self, parts: Parts, spec: Spec, start: int, stop: int) -> NDArray[Any]:
        numbers = np.zeros(stop - start, FLOATING[spec.dtype])
        first, last = _found(parts, start), _found(parts, stop)
        numbers[parts.read("places", first, last).astype(np.int64) - start] = parts.read("values", first, last)
        return numbers

    def bound(self, parts: Parts, spec: Spec) -> Bound:  # noqa: ARG002  # it was measured
        each, norm = parts.read("error")
        return Bound(float(each), float(norm))

    def _places(self, numbers: NDArray[Any]) -> NDArray[np.int64]:
        """int64[kept], rising."""
        if self.density is None:
            return np.flatnonzero(numbers)
        keep = min(max(int(self.density * len(numbers)), 1), len(numbers))
        if not keep:
            return np.zeros(0, np.int64)
        sizes = np.abs(numbers)
        cut = np.partition(sizes, len(sizes) - keep)[len(sizes) - keep]
        above = np.flatnonzero(sizes > cut)
        equal = np.flatnonzero(sizes == cut)[: keep - len(above)]
        return np.sort(np.concatenate([above, equal]))


def _found(parts: Parts, place: int) -> int:
    """How many places come before one: by halving, so that a window does not read them all."""
    low, high = 0, parts.size("places")
    while low < high:
        middle = (low + high) // 2
        if int(parts.read("places", middle, middle + 1)[0]) < place:
            low = middle + 1
        else:
            high = middle
    return low
