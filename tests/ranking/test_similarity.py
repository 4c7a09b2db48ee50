from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import EmbeddingError
from taskspace.ranking import block_cosines, block_norms, centre_of, centred_cosines

LARGEST = float(np.finfo(np.float32).max)
FLOATS = st.floats(-LARGEST, LARGEST, width=32)


def test_hand_worked_blocks():
    target = np.array([3, 4, 1, 0], dtype=np.float32)
    candidates = np.array([[3, 4, 0, 2], [-4, 3, -1, 0], [6, 8, 1, 1]], dtype=np.float32)
    cosines = block_cosines(target, candidates, (("a", 2), ("b", 2)))
    np.testing.assert_allclose(cosines, [[1, 0], [0, -1], [1, np.sqrt(0.5)]], atol=1e-15)


def test_zero_parts_score_zero():
    target = np.array([1, 0, 0, 0], dtype=np.float32)
    candidates = np.array([[0, 0, 1, 1], [1, 0, 0, 0]], dtype=np.float32)
    np.testing.assert_array_equal(block_cosines(target, candidates, (("a", 2), ("b", 2))), [[0, 0], [1, 0]])


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, 7, elements=FLOATS), arrays(np.float32, (4, 7), elements=FLOATS))
def test_agrees_with_the_formula_row_by_row(target, candidates):
    blocks = (("a", 4), ("b", 3))
    cosines = block_cosines(target, candidates, blocks)
    assert cosines.dtype == np.float64
    assert np.abs(cosines).max() <= 1
    for i, row in enumerate(candidates.astype(np.float64)):
        for c, part in enumerate((slice(0, 4), slice(4, 7))):
            a, b = target[part].astype(np.float64), row[part]
            scale = np.sqrt((a**2).sum()) * np.sqrt((b**2).sum())
            expected = (a * b).sum() / scale if scale else 0.0
            assert cosines[i, c] == pytest.approx(expected, abs=1e-9)


def test_given_norms_are_used():
    candidates = np.array([[3, 4], [1, 0]], dtype=np.float32)
    target, blocks = candidates[0], (("all", 2),)
    norms = block_norms(candidates, blocks)
    np.testing.assert_array_equal(norms, [[5], [1]])
    np.testing.assert_array_equal(
        block_cosines(target, candidates, blocks, norms), block_cosines(target, candidates, blocks)
    )
    np.testing.assert_allclose(block_cosines(target, candidates, blocks, norms * 2), [[0.5], [0.3]])


@pytest.mark.parametrize("blocks", [(("all", 3),), (("a", 1), ("b", 2))])
def test_numbers_that_do_not_fit_are_refused(blocks):
    pair = np.ones(2, dtype=np.float32)
    with pytest.raises(EmbeddingError, match=r"\(2,\).*3 numbers"):
        block_cosines(pair, np.ones((4, 3), dtype=np.float32), blocks)
    with pytest.raises(EmbeddingError, match=r"\(2,\).*3 numbers"):
        block_cosines(np.ones(3, dtype=np.float32), np.ones((4, 2), dtype=np.float32), blocks)


def test_the_big_matrix_is_not_copied():
    candidates = np.ones((2000, 2000), dtype=np.float32)
    tracemalloc.start()
    try:
        block_cosines(candidates[0], candidates, (("a", 500), ("b", 1500)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < candidates.nbytes / 8


# Centred


MODEST = st.floats(-100, 100, width=32)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, 7, elements=MODEST), arrays(np.float32, (4, 7), elements=MODEST))
def test_centred_agrees_with_taking_the_mean_off(target, candidates):
    blocks = (("a", 4), ("b", 3))
    centre = centre_of(candidates, np.array([True, True, False, True]))
    np.testing.assert_allclose(centre, candidates[[0, 1, 3]].astype(np.float64).mean(axis=0), atol=1e-12)
    cosines = centred_cosines(target, candidates, blocks, centre)
    for i, row in enumerate(candidates):
        for c, part in enumerate((slice(0, 4), slice(4, 7))):
            a, b = (target - centre)[part], (row - centre)[part]
            sizes = [np.linalg.norm(a), np.linalg.norm(b)]
            if min(sizes) > 1e-3 * (1 + np.abs(centre).max()):  # else all that is left is rounding
                assert cosines[i, c] == pytest.approx(a @ b / np.prod(sizes), abs=1e-6)


def test_centred_by_hand():
    """Three corners of a square around (11, 10): what crowds near 1 falls apart."""
    candidates = np.array([[12, 10], [10, 10], [11, 11], [11, 9]], dtype=np.float32)
    assert block_cosines(candidates[0], candidates, (("all", 2),)).min() > 0.98
    centre = centre_of(candidates, np.ones(4, dtype=bool))
    np.testing.assert_array_equal(centre, [11, 10])
    cosines = centred_cosines(candidates[0], candidates, (("all", 2),), centre)
    np.testing.assert_allclose(cosines[:, 0], [1, -1, 0, 0], atol=1e-12)


def test_what_stands_at_the_centre_is_near_to_nothing():
    alike = np.full((3, 5), 0.1, dtype=np.float32)
    centre = centre_of(alike, np.ones(3, dtype=bool))
    assert not centred_cosines(alike[0], alike, (("all", 5),), centre).any()
    assert not centre_of(alike, np.zeros(3, dtype=bool)).any()
