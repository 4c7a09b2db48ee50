"""Each codec: numbers come back within the bound that it states, however the tensor is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import SettingError, WeightsError
from taskspace.merging.codecs import CODECS, Tensor, plan_named, restored, told
from taskspace.merging.codecs._codec import Held
from taskspace.merging.codecs.affine import Affine
from taskspace.merging.codecs.low_rank import LowRank, Svd
from taskspace.merging.codecs.raw import Raw
from taskspace.merging.codecs.residual import Residual, Residuals, mean
from taskspace.merging.codecs.sparse import Sparse
from taskspace.merging.numbers import Spec


def tensor(values, stretch=16):
    spec = Spec("F64" if values.dtype == np.float64 else "F32", values.shape)
    return Tensor("w", spec, lambda window: values.reshape(-1)[window.start : window.stop], stretch)


def stored(codec, values, stretch=16):
    """What a file would hold, with its parts as large as was said."""
    one = tensor(values, stretch)
    said, made = codec.parts(one), [(part, list(pieces)) for part, pieces in codec.encode(one)]
    assert [part for part, _ in made] == list(said)
    for part, pieces in made:
        assert sum(piece.nbytes for piece in pieces) == said[part].nbytes
        assert all(piece.dtype == said[part].stored for piece in pieces)
    return Held(made)


def back(codec, parts, values):
    spec = tensor(values).spec
    numbers = codec.decode(parts, spec, 0, spec.size)
    assert numbers.dtype == values.dtype
    return numbers.reshape(values.shape)


def within(codec, values, stretch=16):
    parts = stored(codec, values, stretch)
    bound = codec.bound(parts, tensor(values).spec)
    error = back(codec, parts, values).astype(np.float64) - values
    assert np.max(np.abs(error), initial=0) <= bound.each
    assert math.sqrt(float(np.sum(error**2))) <= bound.norm * (1 + 1e-12)
    return bound


ANY = {"allow_nan": False, "allow_infinity": False}
SINGLES = arrays(np.float32, st.integers(0, 70), elements=st.floats(width=32, **ANY))
HALVES = arrays(np.float32, st.integers(0, 70), elements=st.floats(-60000, 60000, width=32, **ANY))
DOUBLES = arrays(np.float64, st.integers(0, 40), elements=st.floats(-1e150, 1e150, allow_subnormal=False, **ANY))
BITS = st.integers(1, 8)
GROUPS = st.sampled_from([None, 1, 3, 8, 20])


@given(SINGLES, BITS, GROUPS)
def test_affine(values, bits, group):
    within(Affine(bits, group), values)


@given(DOUBLES, BITS, GROUPS)
def test_affine_of_doubles(values, bits, group):
    within(Affine(bits, group), values)


@given(arrays(np.float32, st.integers(1, 50), elements=st.floats(-1, 1, width=32)), BITS)
def test_the_bound_is_half_a_step_and_little_more(values, bits):
    extent = float(values.max()) - float(values.min())
    bound = Affine(bits).bound(stored(Affine(bits), values), tensor(values).spec)
    half = extent / (2 * (2**bits - 1))
    assert half <= bound.each <= half + 1e-6
    assert bound.norm <= (half + 1e-6) * math.sqrt(len(values)) * (1 + 1e-9)


def test_affine_by_hand():
    values = np.array([-1.0, -0.4, 0.1, 0.49, 0.51, 2.0], np.float32)  # steps of one at two bits
    parts = stored(Affine(2), values)
    assert parts.read("low").tolist() == [-1]
    assert parts.read("high").tolist() == [2]
    assert parts.read("codes").tolist() == [0b01_01_01_00, 0b11_10]
    assert back(Affine(2), parts, values).tolist() == [-1, 0, 0, 0, 1, 2]


@given(st.floats(width=32, **ANY), st.integers(0, 40), BITS, GROUPS)
def test_constants_come_back_as_they_were(value, count, bits, group):
    values = np.full(count, value, np.float32)
    np.testing.assert_array_equal(back(Affine(bits, group), stored(Affine(bits, group), values), values), values)


@given(SINGLES, BITS)
def test_extremes_come_back_as_they_were(values, bits):
    assume(len(values) > 0)
    read = back(Affine(bits), stored(Affine(bits), values), values)
    assert read.min() == values.min()
    assert read.max() == values.max()


def test_groups_bring_the_error_down_where_ranges_differ(rng):
    values = np.concatenate([rng.standard_normal(128), 100 * rng.standard_normal(128)]).astype(np.float32)
    errors = {}
    for group in (None, 128):
        read = back(Affine(4, group), stored(Affine(4, group), values), values)
        errors[group] = np.abs(read - values)[:128].max()
    assert errors[128] < errors[None] / 10


@pytest.mark.parametrize("stretch", [1, 8, 24, 64, 1000])
@pytest.mark.parametrize(
    "codec", [Affine(3), Affine(4, 5), Affine(8, 128), Sparse(), Sparse(0.3), Raw("BF16")], ids=str
)
def test_how_it_is_cut_changes_nothing(codec, stretch, rng):
    values = rng.standard_normal(203).astype(np.float32)
    whole = stored(codec, values, 10**6)
    cut = stored(codec, values, stretch)
    spec = tensor(values).spec
    for part in codec.sizes(spec):
        np.testing.assert_array_equal(cut.read(part), whole.read(part))
    numbers = codec.decode(whole, spec, 0, 203)
    for start, stop in [(0, 1), (202, 203), (7, 7), (5, 133), *(sorted(rng.integers(0, 204, 2)) for _ in range(20))]:
        part = codec.decode(whole, spec, int(start), int(stop))
        assert part.tobytes() == numbers[start:stop].tobytes()


@given(SINGLES)
def test_raw_loses_nothing(values):
    bound = within(Raw("F32"), values)
    assert (bound.each, bound.norm) == (0, 0)
    np.testing.assert_array_equal(back(Raw("F32"), stored(Raw("F32"), values), values), values)


@given(HALVES)
def test_half_precision(values):
    bound = within(Raw("F16"), values)
    assert bound.each <= max(float(np.max(np.abs(values), initial=0)) * 2**-10, 2**-25)


@given(arrays(np.float32, st.integers(0, 70), elements=st.floats(-(2.0**127), 2.0**127, width=32)))
def test_brain_floats(values):
    within(Raw("BF16"), values)


@given(DOUBLES)
def test_doubles_as_singles(values):
    within(Raw("F32"), np.clip(values, -1e38, 1e38))


@given(arrays(np.float32, st.integers(0, 60), elements=st.floats(-9, 9, width=32)), st.floats(0.01, 1))
def test_sparse(values, density):
    bound = within(Sparse(density), values)
    kept = sorted(np.abs(values), reverse=True)[: max(int(density * len(values)), 1)]
    assert bound.each <= (kept[-1] if kept else 0)
    read = back(Sparse(density), stored(Sparse(density), values), values)
    assert np.count_nonzero(read) <= len(kept)
    assert float(np.sum(np.abs(read))) == pytest.approx(float(np.sum(kept)), rel=1e-5)


@given(SINGLES)
def test_sparse_without_a_density_loses_nothing(values):
    values[::2] = 0
    bound = within(Sparse(), values)
    assert (bound.each, bound.norm) == (0, 0)


def test_of_equal_numbers_the_first_are_kept():
    values = np.array([1, -2, 2, 2, -2, 1, 0, 3], np.float32)
    assert back(Sparse(0.5), stored(Sparse(0.5), values), values).tolist() == [0, -2, 2, 2, 0, 0, 0, 3]


@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 12), st.integers(0, 99))
def test_svd_is_the_nearest_of_its_rank(m, n, rank, seed):
    values = np.random.default_rng(seed).standard_normal((m, n)).astype(np.float32)
    codec = Svd(rank).fitted(Spec("F32", (m, n)))
    if isinstance(codec, Raw):
        assert min(rank, m, n) * (m + n) >= m * n
        return
    bound = within(codec, values)
    s = np.linalg.svd(values.astype(np.float64), compute_uv=False)
    assert bound.norm == pytest.approx(math.sqrt(float(np.sum(s[rank:] ** 2))), rel=1e-4, abs=1e-5)


def test_svd_of_a_share_of_convolutions_and_of_what_is_no_matrix(rng):
    assert Svd(share=0.25).fitted(Spec("F32", (40, 80))) == LowRank(10)
    assert Svd().fitted(Spec("F32", (40, 10, 8))) == LowRank(4)
    assert Svd(99).fitted(Spec("F32", (40, 80))) == Raw("F32")
    assert Svd().fitted(Spec("F64", (7,))) == Raw("F64")
    assert Svd().fitted(Spec("F32", (0, 5))) == Raw("F32")
    values = rng.standard_normal((12, 3, 2, 2)).astype(np.float32)
    within(LowRank(2), values)


SEVERAL = arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(0, 50)), elements=st.floats(-(2.0**99), 2.0**99, width=32)
)


@given(SEVERAL, BITS, BITS, GROUPS)
def test_residual(rows, base_bits, offset_bits, group):
    tensors = {i: tensor(row) for i, row in enumerate(rows)}
    encoder = Residuals(tensors, Affine(base_bits, group), Affine(offset_bits, group))
    parts = Held([(part, list(pieces)) for part, pieces in encoder.encode(mean(list(tensors.values())))])
    for i, row in enumerate(rows):
        codec = Residual(i, base_bits, offset_bits, group)
        bound = codec.bound(parts, tensors[i].spec)
        error = codec.decode(parts, tensors[i].spec, 0, len(row)).astype(np.float64) - row
        assert np.max(np.abs(error), initial=0) <= bound.each
        assert math.sqrt(float(np.sum(error**2))) <= bound.norm * (1 + 1e-12)


def test_the_offset_makes_good_what_the_base_lost(rng):
    """Offsets of 8 bits to a base of 1 bit: the base's error, which is large, is not left in the sum."""
    rows = rng.standard_normal((3, 500)).astype(np.float32)
    tensors = {i: tensor(row) for i, row in enumerate(rows)}
    encoder = Residuals(tensors, Affine(1), Affine(8))
    parts = Held([(part, list(pieces)) for part, pieces in encoder.encode(mean(list(tensors.values())))])
    offset_step = max(float(parts.read(f"{i}:high")[0] - parts.read(f"{i}:low")[0]) / 255 for i in tensors)
    for i, row in enumerate(rows):
        read = Residual(i, 1, 8).decode(parts, tensors[i].spec, 0, 500)
        assert np.abs(read - row).max() <= offset_step / 2 + 1e-5


@pytest.mark.parametrize(
    "codec", [Raw("F16"), Affine(4, 128), Sparse(0.1), LowRank(3, True, "a.b", True), Residual(2, 3, 2, 128)], ids=str
)
def test_a_codec_comes_back_from_a_header(codec):
    assert restored(told(codec)) == codec


def test_names_and_options():
    assert plan_named("int4", group=128) == Affine(4, 128)
    assert plan_named("raw", dtype="F16") == Raw("F16")
    assert set(CODECS) == {"raw", "svd", "int8", "int4", "int2", "sparse"}


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("int5", {}, "did you mean"),
        ("residual", {}, "save_many"),
        ("int4", {"bits": 3}, "it takes group"),
        ("int4", {"group": 0}, "group is 0"),
        ("raw", {"dtype": "F8"}, "F8"),
        ("svd", {"rank": 0}, "rank is 0"),
        ("svd", {"share": 1.5}, "share is 1.5"),
        ("sparse", {"density": 0}, "density is 0"),
    ],
)
def test_what_there_is_not(name, options, word, one_sentence):
    with pytest.raises(SettingError) as error:
        plan_named(name, **options)
    assert word in str(error.value)
    assert one_sentence(error.value)


@pytest.mark.parametrize("codec", [Raw("F32"), Affine(4), Sparse(), LowRank(1)], ids=str)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_not_stored(codec, wrong):
    with pytest.raises(WeightsError, match="NaN or infinity"):
        stored(codec, np.array([[1, wrong], [0, 1]], np.float32))


def test_what_is_too_large_for_two_bytes_is_not_stored():
    with pytest.raises(WeightsError, match="too large for F16"):
        stored(Raw("F16"), np.array([1e6], np.float32))
