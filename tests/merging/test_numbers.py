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


def test_a_spec_counts_its_bytes():
    assert Spec("BF16", (3, 4)).nbytes == 24
    assert Spec("F32", ()).size == 1
    assert not Spec("I64", (2,)).floating
