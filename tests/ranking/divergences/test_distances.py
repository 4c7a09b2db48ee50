from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences import distances, energy, mmd

NUMBERS = st.floats(-10, 10, width=32)
CLOUDS = st.integers(1, 4).flatmap(
    lambda d: st.tuples(*(st.integers(2, 9).flatmap(lambda n: arrays(float, (n, d), elements=NUMBERS)) for _ in "ab"))
)


def normal(n, d=4, *, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def slow_energy(a, b):
    def mean(x, y):
        return np.mean([math.dist(u, v) for u in x for v in y])

    return 2 * mean(a, b) - mean(a, a) - mean(b, b)


def slow_mmd(a, b):
    """Gretton et al. 2012, equation 3, pair by pair."""
    pooled = [*a.tolist(), *b.tolist()]
    apart = [math.dist(u, v) for u, v in itertools.combinations(pooled, 2)]
    sigma = np.median(apart) or np.mean(apart)

    def k(u, v):
        return math.exp(-(math.dist(u, v) ** 2) / (2 * sigma**2))

    within = [np.mean([k(u, v) for u, v in itertools.permutations(x.tolist(), 2)]) for x in (a, b)]
    return sum(within) - 2 * np.mean([k(u, v) for u in a.tolist() for v in b.tolist()])


@pytest.mark.parametrize(("divergence", "slow"), [(energy, slow_energy), (mmd, slow_mmd)])
class TestBySlowLoops:
    def test_clouds_of_other_sizes(self, divergence, slow):
        a, b = normal(13, shift=0.5), normal(8, seed=1)
        assert divergence(a, b) == pytest.approx(slow(a, b), rel=1e-9)

    def test_many_blocks(self, divergence, slow, monkeypatch):
        monkeypatch.setattr(distances, "_BLOCK", 3)
        a, b = normal(10), normal(7, seed=1)
        assert divergence(a, b) == pytest.approx(slow(a, b), rel=1e-9)

    def test_rows_that_coincide(self, divergence, slow):
        a, b = np.repeat(normal(2), 6, axis=0), np.vstack([normal(2)[:1]] * 9)
        assert divergence(a, b) == pytest.approx(slow(a, b), rel=1e-9)

    def test_far_from_the_origin(self, divergence, slow):
        a, b = normal(9, shift=0.5), normal(8, seed=1)
        assert divergence(a + 1e6, b + 1e6) == pytest.approx(slow(a, b), rel=1e-6)


@given(st.lists(NUMBERS, min_size=1, max_size=9), st.lists(NUMBERS, min_size=1, max_size=9))
def test_energy_in_one_dimension_is_that_of_scipy(a, b):
    stats = pytest.importorskip("scipy.stats")
    given_ = energy(np.array(a)[:, None], np.array(b)[:, None])
    assert given_ == pytest.approx(stats.energy_distance(a, b) ** 2, abs=1e-5)


def test_energy_of_more_rows_than_a_block():
    stats = pytest.importorskip("scipy.stats")
    a, b = normal(1200, 1), normal(700, 1, seed=1, shift=1.0)
    expected = stats.energy_distance(a[:, 0], b[:, 0]) ** 2
    assert energy(a, b, limit=None) == pytest.approx(expected, rel=1e-6)
    assert energy(a, b) == pytest.approx(expected, rel=0.2)


@given(CLOUDS)
@settings(max_examples=25)
def test_energy_is_not_negative_zero_on_itself_and_symmetric(pair):
    a, b = pair
    assert energy(a, b) >= 0
    assert energy(a, a) == pytest.approx(0, abs=1e-9)
    assert energy(b, a) == pytest.approx(energy(a, b), abs=1e-9)


@given(CLOUDS)
@settings(max_examples=25)
def test_mmd_is_symmetric_and_bounded(pair):
    a, b = pair
    assert mmd(b, a) == pytest.approx(mmd(a, b), abs=1e-6)
    # The biased one is not negative, and unbiasing takes off at most 1 / (n - 1) per cloud.
    assert -1 / (len(a) - 1) - 1 / (len(b) - 1) - 1e-9 <= mmd(a, b) <= 2
    assert mmd(a, a) <= 1e-9


def test_mmd_of_one_distribution_is_0_on_average():
    values = [mmd(normal(20, seed=2 * i), normal(20, seed=2 * i + 1)) for i in range(200)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(200)
    assert 0.2 < np.mean(np.array(values) < 0) < 0.8


def test_mmd_takes_its_bandwidth_from_some_of_many_rows():
    a, b = normal(1000, 2), normal(700, 2, seed=1, shift=1.0)
    pooled = np.vstack([a, b])
    squares = ((pooled[:, None] - pooled[None]) ** 2).sum(-1)
    kernel = np.exp(squares / (-2 * np.median(np.sqrt(squares[np.triu_indices(1700, 1)])) ** 2))
    within = [
        (block.sum() - n) / (n * (n - 1)) for block, n in [(kernel[:1000, :1000], 1000), (kernel[1000:, 1000:], 700)]
    ]
    assert mmd(a, b, limit=None) == pytest.approx(sum(within) - 2 * kernel[:1000, 1000:].mean(), rel=0.1)


def test_clouds_without_spread():
    a, b = np.full((4, 3), 0.1), np.full((7, 3), 0.1)
    assert mmd(a, b) == 0.0
    assert energy(a, b) == 0.0
    assert energy(a, b + 1) == pytest.approx(2 * math.sqrt(3))
    # Each cloud one point: kernels 1 inside, exp(-½) between where the bandwidth is the distance (28 of 55 pairs).
    assert mmd(a, b + 1) == pytest.approx(2 - 2 * math.exp(-1 / 2))


def test_a_single_row():
    assert energy([[0.0]], [[3.0]]) == pytest.approx(6)
    with pytest.raises(DataError, match="has 1 row where this divergence needs 2"):
        mmd([[0.0]], [[1.0], [2.0]])


@pytest.mark.parametrize("divergence", [energy, mmd])
class TestSampling:
    def test_the_order_of_rows_is_nothing_and_a_limit_draws_by_seed(self, divergence):
        a, b = normal(40), normal(30, seed=1)
        mixed = np.random.default_rng(2).permutation(40)
        assert divergence(a[mixed], b) == divergence(a, b)
        assert divergence(a[mixed], b, limit=20) == divergence(a, b, limit=20) != divergence(a, b, limit=20, seed=1)

    def test_refused(self, divergence):
        with pytest.raises(DataError, match="NaN"):
            divergence([[1.0, np.nan], [1.0, 2.0]], normal(3, 2))
        with pytest.raises(DataError, match="width 2 and 3"):
            divergence(normal(3, 2), normal(3, 3))
        with pytest.raises(SettingError, match="limit is 0"):
            divergence(normal(3), normal(3), limit=0)
