from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskspace.errors import DataError, SettingError
from taskspace.ranking.divergences import coral, frechet, proxy_a, sliced_wasserstein

NUMBERS = st.floats(-10, 10, width=32)
CLOUDS = st.integers(1, 4).flatmap(
    lambda d: st.tuples(*(st.integers(2, 9).flatmap(lambda n: arrays(float, (n, d), elements=NUMBERS)) for _ in "ab"))
)
LINES = st.lists(NUMBERS, min_size=2, max_size=9).map(lambda values: np.array(values)[:, None])
ALL = [coral, frechet, proxy_a, partial(sliced_wasserstein, projections=20)]


def normal(n, d=4, *, shift=0.0, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)) * scale + shift


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


@pytest.mark.parametrize("divergence", ALL)
@given(pair=CLOUDS)
@settings(max_examples=25)
def test_a_distance_is_not_negative_zero_on_itself_and_symmetric(divergence, pair):
    a, b = pair
    assert divergence(a, b) >= 0
    assert divergence(a, a) == pytest.approx(0, abs=1e-9)
    assert divergence(b, a) == pytest.approx(divergence(a, b), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("divergence", ALL)
def test_the_order_of_rows_is_nothing_and_a_limit_draws_by_seed(divergence):
    a, b = normal(40), normal(30, scale=2.0, shift=0.7, seed=1)
    mixed = np.random.default_rng(2).permutation(40)
    assert divergence(a[mixed], b) == divergence(a, b)
    assert divergence(a[mixed], b, limit=20) == divergence(a, b, limit=20) != divergence(a, b, limit=20, seed=1)
    assert divergence(a, b, limit=40) == divergence(a, b, limit=None)


@pytest.mark.parametrize("divergence", ALL)
class TestDegenerate:
    def test_constant_features(self, divergence):
        a, b = np.full((4, 3), 0.1), np.full((7, 3), 0.1)
        assert divergence(a, b) == pytest.approx(0, abs=1e-20)
        one_constant = np.hstack([normal(20, 2), np.ones((20, 1))])
        assert divergence(one_constant, one_constant + [0, 0, 1]) >= 0

    def test_wide_clouds_of_few_rows(self, divergence):
        a, b = normal(6, 50), normal(5, 50, seed=1, shift=1.0)
        assert 0 <= divergence(a, b) < math.inf
        assert divergence(a, a) == pytest.approx(0, abs=1e-9)

    def test_refused(self, divergence):
        with pytest.raises(DataError, match="NaN"):
            divergence([[1.0, np.nan], [1.0, 2.0]], normal(3, 2))
        with pytest.raises(DataError, match="width 2 and 3"):
            divergence(normal(3, 2), normal(3, 3))
        with pytest.raises(DataError, match="no table"):
            divergence(np.zeros((0, 2)), normal(3, 2))
        with pytest.raises(SettingError, match="limit is 0"):
            divergence(normal(3), normal(3), limit=0)


@pytest.mark.parametrize("divergence", [coral, frechet, proxy_a])
def test_a_single_row_has_no_spread(divergence):
    with pytest.raises(DataError, match="has 1 row where this divergence needs 2"):
        divergence(normal(1), normal(5))


class TestFrechet:
    @given(LINES, LINES)
    def test_one_dimension(self, a, b):
        expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
        assert frechet(a, b) == pytest.approx(expected, rel=1e-9, abs=1e-9)

    def test_commuting_covariances(self):
        turn, _ = np.linalg.qr(normal(3, 3, seed=5))
        axes = np.vstack([np.eye(3), -np.eye(3)]) * math.sqrt(5 / 2)  # covariance 1 over n - 1
        a, b, shift = axes * [1.0, 2.0, 3.0] @ turn, axes * [2.0, 2.0, 0.5] @ turn, np.array([1.0, -2.0, 0.0])
        assert frechet(a, b + shift) == pytest.approx(5 + (1 - 2) ** 2 + (2 - 2) ** 2 + (3 - 0.5) ** 2)

    @pytest.mark.parametrize("rows", [60, 5])
    def test_the_formula(self, rows):
        a, b = normal(rows, 8) @ normal(8, 8, seed=1), normal(rows + 3, 8, seed=2, shift=0.3)
        left, right = np.cov(a.T), np.cov(b.T)
        common = root(root(left) @ right @ root(left))
        expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(left + right - 2 * common)
        assert frechet(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rows", [60, 5])
def test_coral_is_its_formula(rows):
    a, b = normal(rows, 8), normal(rows + 2, 8, seed=2, scale=2.0, shift=9.0)
    assert coral(a, b) == pytest.approx(np.sum((np.cov(a.T) - np.cov(b.T)) ** 2) / (4 * 64))
    assert coral(a, a + 5) == pytest.approx(0, abs=1e-12)


class TestSlicedWasserstein:
    @given(LINES, LINES)
    def test_one_dimension_is_that_of_scipy(self, a, b):
        stats = pytest.importorskip("scipy.stats")
        expected = stats.wasserstein_distance(a[:, 0], b[:, 0])
        assert sliced_wasserstein(a, b, projections=3) == pytest.approx(expected, abs=1e-9)

    def test_a_shift_is_seen_by_its_shadows(self):
        a, shift = normal(50, 5), np.array([3.0, 0, 4.0, 0, 0])
        # The mean of |cos| over the sphere of d dimensions is Γ(d/2) / (√π Γ((d+1)/2)), here 3/8.
        assert math.gamma(2.5) / (math.sqrt(math.pi) * math.gamma(3)) == pytest.approx(3 / 8)
        assert sliced_wasserstein(a, a + shift, projections=5000) == pytest.approx(5 * 3 / 8, rel=0.03)

    def test_rows_said_twice_change_nothing(self):
        a, b = normal(7), normal(4, seed=1)
        assert sliced_wasserstein(np.repeat(a, 3, axis=0), a) == pytest.approx(0, abs=1e-12)
        assert sliced_wasserstein(np.repeat(a, 3, axis=0), b) == pytest.approx(sliced_wasserstein(a, b))

    def test_a_single_row_goes_to_all(self):
        assert sliced_wasserstein([[1.0]], [[0.0], [3.0]]) == pytest.approx(1.5)

    def test_no_projections(self):
        with pytest.raises(SettingError, match="projections is 0"):
            sliced_wasserstein(normal(3), normal(3), projections=0)


class TestProxyA:
    def test_ends_of_the_scale(self):
        a = normal(100)
        assert proxy_a(a, normal(100, seed=1, shift=20.0)) == 2.0
        assert proxy_a(a, normal(100, seed=1)) < 0.3

    @pytest.mark.parametrize("sizes", [(2000, 2000), (3000, 500)])
    def test_gaussians_have_a_known_best_error(self, sizes):
        # N(0, I) and N(δ, I): the best line errs with Φ(-‖δ‖ / 2), whatever share each has of the rows.
        a, b = normal(sizes[0], 3), normal(sizes[1], 3, seed=1, shift=1 / math.sqrt(3))
        best = 0.5 * math.erfc(0.5 / math.sqrt(2))
        assert proxy_a(a, b, limit=None) == pytest.approx(2 * (1 - 2 * best), abs=0.1)

    def test_more_features_than_rows_do_not_learn_noise_by_heart(self):
        a, b = normal(40, 400), normal(40, 400, seed=1)
        assert proxy_a(a, b) < 0.7
        assert proxy_a(a, b + np.eye(400)[0] * 100) == 2.0

    def test_the_unit_of_the_features_is_nothing(self):
        a, b = normal(50), normal(50, seed=1, shift=0.5)
        assert proxy_a(1024 * a, 1024 * b) == proxy_a(a, b)

    def test_two_rows_each(self):
        assert proxy_a([[0.0], [0.1]], [[1.0], [1.1]]) == 2.0
