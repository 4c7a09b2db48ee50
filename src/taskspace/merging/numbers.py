"""Stored numbers, and the float32 (float64 where float64 is stored) in which they are worked on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from taskspace.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FLOATING: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Numbers that merging works on, and how numpy reads their bytes; numpy has no bfloat16, whose bits it shifts."""

OTHER: Final = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8",
    "U64": "<u8",
}  # fmt: skip
"""Buffers that are copied and must agree."""


class Unfit(WeightsError):
    """NaN, infinity, or too large for their dtype: however often it is tried, these numbers cannot be merged."""


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
    if dtype == "F16":
        return _from_half(stored)
    return stored.astype(np.float64 if dtype == "F64" else np.float32, copy=False)


def encode(values: NDArray[Any], dtype: str, what: str) -> NDArray[Any]:
    """Round to the nearest stored number, to the even one between two.

    Raises :class:`WeightsError` where ``what`` holds NaN or infinity, or a number too large for ``dtype``.
    """
    stored = _ROUNDED[dtype](values)
    largest = float(max(values.max(), -values.min())) if values.size else 0.0  # NaN where there is one
    if not np.isfinite(largest):
        raise Unfit(f"{what} holds NaN or infinity; look at the models that went in")
    if largest >= _LIMIT[dtype]:
        raise Unfit(f"{what} has numbers too large for {dtype}; lower the scale, or write it as F32")
    return stored


def added(total: NDArray[Any] | None, weight: float, part: NDArray[Any]) -> NDArray[Any]:
    """``total + weight * part``, in place of ``total`` where that has the precision of both; None is an empty sum."""
    scaled: NDArray[Any] = part * part.dtype.type(weight)
    if total is None:
        return scaled
    if total.dtype != np.promote_types(total.dtype, scaled.dtype):
        return total + scaled
    total += scaled
    return total


def _to_single(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # the caller tells of it
        return values.astype(np.float32, copy=False)


def _to_brain(values: NDArray[Any]) -> NDArray[np.uint16]:
    """bfloat16 is the upper half of float32: half of the last place is added, less one bit where that is even."""
    bits = _to_single(values).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def _from_half(stored: NDArray[np.float16]) -> NDArray[np.float32]:
    """Half precision, which numpy casts one by one: bits are moved, and only what is zero, tiny or infinite is cast.

    A float32 has the same sign, an exponent that counts from 112 lower, and 13 more bits behind the point.
    """
    bits = stored.view(np.int16).astype(np.int32)  # the sign is spread over the upper half, and masked out below
    bits <<= np.int32(13)
    bits &= np.int32(-0x70000001)
    bits += np.int32(112 << 23)
    values = bits.view(np.float32)
    others = np.flatnonzero(((stored.view(np.uint16) + np.uint16(0x400)) & np.uint16(0x7800)) == 0)
    values[others] = stored[others].astype(np.float32)
    return values


def _to_half(values: NDArray[Any]) -> NDArray[np.float16]:
    """The way back: half of the last place is added, to the even one of two, and the exponent lowered by 112."""
    single = _to_single(values)
    bits = single.view(np.uint32)
    sizes = bits & np.uint32(0x7FFFFFFF)
    others = np.flatnonzero((sizes - np.uint32(113 << 23)) >= np.uint32(30 << 23))  # below 2^-14, and from 2^16 on
    sizes += np.uint32(0xFFF) + ((sizes >> np.uint32(13)) & np.uint32(1))
    sizes -= np.uint32(112 << 23)
    sizes >>= np.uint32(13)
    sizes |= (bits >> np.uint32(16)) & np.uint32(0x8000)
    stored = sizes.astype(np.uint16).view(np.float16)
    with np.errstate(over="ignore"):  # the caller tells of it
        stored[others] = single[others].astype(np.float16)
    return stored


_LIMIT: Final = {"F64": np.inf, "F32": 2.0**128 - 2.0**103, "F16": 65520.0, "BF16": 2.0**128 - 2.0**119}
"""What would be rounded to infinity: half of the last place above the largest number."""

_ROUNDED: Final[dict[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "F64": lambda values: values.astype(np.float64, copy=False),
    "F32": _to_single,
    "F16": _to_half,
    "BF16": _to_brain,
}
