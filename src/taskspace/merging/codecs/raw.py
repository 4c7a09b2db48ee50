"""Numbers as they are, or rounded to two bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.merging.codecs._codec import Bound
from taskspace.merging.numbers import FLOATING, Spec, decode, encode
from taskspace.merging.window import STRETCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from taskspace.merging.codecs._codec import Part, Parts, Tensor

_HALF_STEP = {"F64": (2.0**-53, 2.0**-1075), "F32": (2.0**-24, 2.0**-150), "F16": (2.0**-11, 2.0**-25),
              "BF16": (2.0**-8, 2.0**-134)}  # fmt: skip
"""Half the distance of two neighbours, as a share of the number and as the least that it is."""


@dataclass(frozen=True)
class Raw:
    """One number each, in ``dtype`` (F32, F16, BF16), by default that of the vector: then nothing is lost.

    The error of rounding is at most half of the distance to the next number: 2^-11 of it for F16, 2^-8 for BF16, and
    2^-25 and 2^-134 for the least of numbers.  The file is one of differences that every reader of safetensors opens.
    """

    dtype: str | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in FLOATING:
            raise SettingError(f"dtype is {self.dtype!r}; say one of {', '.join(FLOATING)}")

    def fitted(self, spec: Spec) -> Raw:
        return Raw(self.dtype or spec.dtype)

    def sizes(self, spec: Spec) -> Mapping[str, int | None]:
        return {"": spec.size}

    def parts(self, tensor: Tensor) -> Mapping[str, Spec]:
        return {"": Spec(self._stored, tensor.spec.shape)}

    def encode(self, tensor: Tensor) -> Iterator[Part]:
        yield "", (encode(piece, self._stored, f"{tensor.name!r} of the vector") for _, piece in tensor.pieces())

    def decode(self, parts: Parts, spec: Spec, start: int, stop: int) -> NDArray[Any]:
        return decode(parts.read("", start, stop), self._stored).astype(FLOATING[spec.dtype], copy=False)

    def bound(self, parts: Parts, spec: Spec) -> Bound:
        if FLOATING[self._stored] in ("<f8", FLOATING[spec.dtype]):
            return Bound(0.0, 0.0)
        share, least = _HALF_STEP[self._stored]
        each = squares = 0.0
        for start in range(0, spec.size, STRETCH):
            stored = parts.read("", start, min(start + STRETCH, spec.size))
            errors = np.maximum(share * np.abs(decode(stored, self._stored).astype(np.float64)), least)
            each, squares = max(each, float(np.max(errors))), squares + float(np.sum(errors**2))
        return Bound(each, math.sqrt(squares))

    @property
    def _stored(self) -> str:
        return self.dtype or "F32"
