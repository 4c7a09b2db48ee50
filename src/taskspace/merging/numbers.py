"""Stored numbers, and the float32 (float64 where float64 is stored) in which they are worked on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from taskspace.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOATING: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Numbers that merging works on, and how numpy reads their bytes; numpy has no bfloat16, whose bits it shifts."""

OTHER: Final = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8",
    "U64": "<u8",
}  # fmt: skip
"""Buffers that are copied and must agree."""


@dataclass(frozen=True)
class Spec:
    """What stands in a safetensors header of one tensor: ``dtype`` by its safetensors name."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"

    @property
    def size(self) -> int:
        """Its numbers."""
        return math.prod(self.shape)

    @property
    def stored(self) -> np.dtype[Any]:
        """How one number lies in the file."""
        return np.dtype(FLOATING.get(self.dtype) or OTHER[self.dtype])

    @property
    def nbytes(self) -> int:
        return self.size * self.stored.itemsize

    @property
    def floating(self) -> bool:
        return self.dtype in FLOATING


def decode(stored: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Numbers as they lie in a file, as float32 (float64 for F64); exact."""
    if dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float64 if dtype == "F64" else np.float32, copy=False)


def encode(values: NDArray[Any], dtype: str, what: str) -> NDArray[Any]:
    """Round to the nearest stored number, to the even one between two.

    Raises :class:`WeightsError` where ``what`` holds NaN or infinity, or a number too large for ``dtype``.
    """
    if not np.isfinite(values).all():
        raise WeightsError(f"{what} holds NaN or infinity; look at the models that went in")
    with np.errstate(over="ignore"):  # told of below
        stored = _brain(values) if dtype == "BF16" else values.astype(FLOATING[dtype])
    if not np.isfinite(decode(stored, dtype)).all():
        raise WeightsError(f"{what} has numbers too large for {dtype}; lower the scale, or write it as F32")
    return stored


def _brain(values: NDArray[Any]) -> NDArray[np.uint16]:
    """bfloat16 is the upper half of float32: half of the last place is added, less one bit where that is even."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
