from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.merging.codecs.packing import pack, packed_bytes, unpack


@pytest.mark.parametrize(
    ("codes", "bits", "packed"),
    [
        ([1, 0, 1, 1], 1, [0b1101]),
        ([0, 1, 2, 3, 3], 2, [0b11_10_01_00, 0b11]),
        ([5, 7, 1], 3, [0b01_111_101, 0b0]),
        ([0xA, 0x3, 0xF], 4, [0x3A, 0x0F]),
        ([0, 255, 17], 8, [0, 255, 17]),
        ([], 3, []),
    ],
)
def test_bits_by_hand(codes, bits, packed):
    stored = pack(np.array(codes, np.uint8), bits)
    assert stored.tolist() == packed
    assert len(stored) == packed_bytes(len(codes), bits)
    assert unpack(stored, bits, len(codes)).tolist() == codes


@given(st.integers(1, 8), st.data())
def test_every_number_of_bits_is_one_long_row_of_them(bits, data):
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), max_size=70))
    stored = pack(np.array(codes, np.uint8), bits)
    row = sum(code << (bits * i) for i, code in enumerate(codes))  # a whole number has as many bits as one likes
    assert stored.tobytes() == row.to_bytes(packed_bytes(len(codes), bits), "little")
    assert unpack(stored, bits, len(codes)).tolist() == codes
