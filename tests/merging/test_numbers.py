from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import WeightsError
from taskspace.merging.numbers import Spec, decode, encode

ALL = np.arange(65536, dtype=np.uint16)


def test_every_half_is_read_as_numpy_reads_it():
    stored = ALL.view(np.float16)
    np.testing.assert_array_equal(decode(stored, "F16").view(np.uint32), stored.astype(np.float32).view(np.uint32))


def test_every_half_comes_back():
    stored = ALL.view(np.float16)
    finite = stored[np.isfinite(stored)]
    np.testing.assert_array_equal(encode(decode(finite, "F16"), "F16", "x").view(np.uint16), finite.view(np.uint16))


def test_between_two_halves_the_nearest_and_the_even_one():
    steps = ALL[: 0x7C00 - 1]
    low, high = (decode(part.view(np.float16), "F16").astype(np.float64) for part in (steps, steps + 1))
    middle = (low + high) / 2
    for sign in (1, -1):
        for values in (
            middle,
            np.nextafter(middle.astype(np.float32), 0),
            np.nextafter(middle.astype(np.float32), 1e9),
        ):
            single = (sign * values).astype(np.float32)
            np.testing.assert_array_equal(
                encode(single, "F16", "x").view(np.uint16), single.astype(np.float16).view(np.uint16)
            )


@given(st.lists(st.floats(-65000, 65000, width=32), min_size=1))
def test_any_single_is_rounded_as_numpy_rounds_it(values):
    single = np.array(values, np.float32)
    np.testing.assert_array_equal(encode(single, "F16", "x"), single.astype(np.float16))


@pytest.mark.parametrize("value", [65520.0, 1e30, np.inf, np.nan])
def test_what_no_half_can_hold_is_refused(value, one_sentence):
    with pytest.raises(WeightsError) as caught:
        encode(np.array([1.0, value], np.float32), "F16", "'w' of the result")
    assert one_sentence(caught.value)
    assert encode(np.array([65519.0], np.float32), "F16", "x")[0] == 65504


def test_bfloat16_is_read_as_the_upper_half_of_a_single():
    stored = np.array([0x3F80, 0xC000, 0x0001], np.uint16)
    np.testing.assert_array_equal(decode(stored, "BF16"), np.array([1, -2, 2.0**-133], np.float32))


SINGLES = st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=1)


@given(SINGLES)
def test_singles_are_rounded_to_bfloat16_as_torch_rounds_them(values):
    torch = pytest.importorskip("torch")
    single = np.array(values, np.float32)
    theirs = torch.from_numpy(single).to(torch.bfloat16)
    np.testing.assert_array_equal(encode(single, "BF16", "x"), theirs.view(torch.uint16).numpy())
    np.testing.assert_array_equal(decode(encode(single, "BF16", "x"), "BF16"), theirs.float().numpy())


def test_every_bfloat16_comes_back_and_between_two_the_even_one():
    torch = pytest.importorskip("torch")
    stored = ALL[np.isfinite(decode(ALL, "BF16"))]
    np.testing.assert_array_equal(encode(decode(stored, "BF16"), "BF16", "x"), stored)
    bits = (ALL[: 0x7F80 - 1].astype(np.uint32) << 16) | 0x8000  # halfway between two neighbours
    for middle in (bits.view(np.float32), (bits + 1).view(np.float32), (bits - 1).view(np.float32)):
        theirs = torch.from_numpy(middle.copy()).to(torch.bfloat16).view(torch.uint16).numpy()
        np.testing.assert_array_equal(encode(middle, "BF16", "x"), theirs)


@pytest.mark.parametrize("value", [3.4e38, np.inf, np.nan])
def test_what_no_bfloat16_can_hold_is_refused(value, one_sentence):
    with pytest.raises(WeightsError) as caught:
        encode(np.array([1.0, -value], np.float32), "BF16", "'w' of the result")
    assert one_sentence(caught.value)


@pytest.mark.parametrize(("dtype", "kept"), [("F64", 1e300), ("F32", 1.0), ("F16", 1.0), ("BF16", 1.0)])
def test_doubles_are_rounded_once_where_they_fit(dtype, kept):
    values = np.array([kept, -0.5, 0.0])
    np.testing.assert_array_equal(decode(encode(values, dtype, "x"), dtype), values)
    if dtype != "F64":
        with pytest.raises(WeightsError, match="too large"):
            encode(np.array([1e300]), dtype, "x")


def test_a_spec_counts_its_bytes():
    assert Spec("BF16", (3, 4)).nbytes == 24
    assert Spec("F32", ()).size == 1
    assert not Spec("I64", (2,)).floating
