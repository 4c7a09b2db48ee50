from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences import equal_rows, equal_samples
from taskspace.ranking.divergences.samples import clouds

CORPUS = st.lists(st.text(max_size=3), min_size=1, max_size=12)


@given(CORPUS, CORPUS, st.none() | st.integers(1, 15), st.randoms())
def test_as_many_texts_of_each_whatever_their_order(a, b, limit, random):
    first, second = equal_samples(a, b, limit, seed=3)
    assert len(first) == len(second) == min(len(a), len(b), limit or 99)
    assert not Counter(first) - Counter(a)
    assert not Counter(second) - Counter(b)
    random.shuffle(a)
    assert equal_samples(a, b, limit, seed=3) == (first, second)


def test_another_seed_draws_others_and_copies_are_drawn_alike():
    texts = [f"text {i}" for i in range(100)]
    one, copy = equal_samples(texts, texts[::-1], 10, seed=0)
    other, _ = equal_samples(texts, texts, 10, seed=1)
    assert one == copy != other


def test_as_many_rows_of_each_whatever_their_order():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(9, 3)), rng.normal(size=(6, 3))
    first, second = equal_rows(a, b, 4)
    assert first.shape == second.shape == (4, 3)
    assert all(row in a.tolist() for row in first.tolist())
    for given_, drawn in [((a[rng.permutation(9)], b), (first, second)), ((b, a), (second, first))]:
        for got, expected in zip(equal_rows(*given_, 4), drawn, strict=True):
            np.testing.assert_array_equal(got, expected)
    assert [len(rows) for rows in equal_rows(a, b)] == [6, 6]


def test_zeros_of_either_sign_are_one():
    for one, other in zip(clouds([[0.0], [-1.0]], [[1.0]]), clouds([[-1.0], [-0.0]], [[1.0]]), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ("one text", "single string of 8 characters"),
        ([], "no texts"),
        (["a", None], "row 1 holds None"),
        ([3], "row 0"),
    ],
)
def test_texts_that_are_none(texts, said):
    with pytest.raises(DataError, match=said):
        equal_samples(["fine"], texts)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([[np.nan, 1.0]], "NaN"), ([[np.inf, 1.0]], "infinite"), ([[1e200, 1.0]], "enormous"), ([1.0, 2.0], "shape"),
        (np.zeros((0, 2)), r"shape \(0, 2\)"), ([[1.0]], "width 2 and 1"), ([[1.0], [1.0, 2.0]], "no table of numbers"),
        ([["a", "b"]], "no table of numbers"),
    ],
)  # fmt: skip
def test_features_that_are_none(features, said):
    with pytest.raises(DataError, match=said):
        equal_rows([[1.0, 2.0]], features)


def test_limits_that_leave_nothing():
    with pytest.raises(SettingError, match="limit is 0; draw 1 row at least"):
        equal_samples(["a"], ["b"], 0)
    with pytest.raises(SettingError, match="limit is 0; draw 1 row at least"):
        equal_rows([[1.0]], [[1.0]], 0)
    with pytest.raises(SettingError, match="limit is 1, and 2 rows"):
        clouds([[1.0], [2.0]], [[1.0], [2.0]], 1, least=2)
