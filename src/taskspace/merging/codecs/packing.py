"""Small whole numbers, several to a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOGETHER = 8
"""Codes that are packed together: they fill as many whole bytes as each has bits."""


def packed_bytes(count: int, bits: int) -> int:
    """Bytes of ``count`` codes."""
    return -(-count * bits // 8)


def pack(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """uint8[n] below ``2**bits``, 1 to 8 bits each, one after the other from the lowest bit of the first byte on."""
    padded = np.zeros((-(-len(codes) // TOGETHER), TOGETHER), dtype="<u8")
    padded.reshape(-1)[: len(codes)] = codes
    words = np.bitwise_or.reduce(padded << _shifts(bits), axis=1)
    together = np.ascontiguousarray(words.view(np.uint8).reshape(-1, 8)[:, :bits]).reshape(-1)
    return together[: packed_bytes(len(codes), bits)]


def unpack(stored: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """The first ``count`` codes."""
    words = np.zeros((-(-count // TOGETHER), 8), dtype=np.uint8)
    full = np.zeros(len(words) * bits, dtype=np.uint8)
    full[: len(stored)] = stored[: len(full)]
    words[:, :bits] = full.reshape(-1, bits)
    codes = (words.view("<u8") >> _shifts(bits)) & np.uint64((1 << bits) - 1)
    return codes.reshape(-1)[:count].astype(np.uint8)


def _shifts(bits: int) -> NDArray[np.uint64]:
    return (np.arange(TOGETHER) * bits).astype(np.uint64)
