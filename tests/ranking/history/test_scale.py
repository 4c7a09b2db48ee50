from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.ranking.history.scale import seen_by, standardised, z_scores

NAN = np.nan


def test_standardised_by_hand():
    # Foreign scores 1 and 3: mean 2, deviation 1.  The target's own 9 stands at 7 and moves neither.
    values, own = np.array([[1.0], [9.0], [3.0], [NAN]]), np.array([[False], [True], [False], [False]])
    np.testing.assert_allclose(standardised(values, own), [[-1], [7], [1], [NAN]])


def test_columns_that_order_nothing():
    values = np.array([[2.0, 1.0, NAN], [2.0, NAN, NAN], [2.0, NAN, NAN]])
    own = np.zeros(values.shape, dtype=bool)
    # Equal scores are all average; one score alone has no spread, and none is none.
    np.testing.assert_array_equal(standardised(values, own), [[0, NAN, NAN]] * 1 + [[0, NAN, NAN]] * 2)
    own[0, 0] = True
    np.testing.assert_array_equal(standardised(values, own)[:, 0], [0, 0, 0])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_agrees_with_scipy_and_has_no_unit(seed):
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(seed).normal(size=(5, 3))
    values[0, 0] = NAN
    own = np.zeros(values.shape, dtype=bool)
    expected = stats.zscore(values, axis=0, nan_policy="omit")
    np.testing.assert_allclose(standardised(values, own), expected)
    np.testing.assert_allclose(standardised(values * [100, 1, 0.01] + 7, own), expected, atol=1e-9)
    np.testing.assert_allclose(z_scores(values[:, 1]), expected[:, 1])


def test_what_a_target_sees(four):
    seen = seen_by(four.table, "t")
    np.testing.assert_allclose(seen, np.array([[NAN] * 3, four.u, four.v]).T, atol=1e-12)
    np.testing.assert_array_equal(np.isnan(seen_by(four.table, "t", ["v"])), [[True, False, True]] * 3)
    # As a source it is out of sight and sets no scale: only b and c are left on u.
    np.testing.assert_allclose(seen_by(four.table, "a")[:, 1], [NAN, 1, -1])


def test_scores_that_are_equal_or_none_have_no_spread():
    np.testing.assert_array_equal(z_scores(np.array([3.0, 3.0])), [0, 0])
    assert z_scores(np.array([])).shape == (0,)


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_rounding_is_no_spread_whatever_the_size(size):
    low = size * np.array([0.3, 0.1 + 0.2, 0.3])  # 0.1 + 0.2 is not 0.3
    assert low.std() > 0
    np.testing.assert_array_equal(standardised(low[:, None], np.zeros((3, 1), dtype=bool))[:, 0], [0, 0, 0])
    np.testing.assert_array_equal(z_scores(low), [0, 0, 0])
    real = size * np.array([0.3, 0.3001, 0.2999])
    np.testing.assert_allclose(z_scores(real), [0, 1.5**0.5, -(1.5**0.5)], atol=1e-6)
    np.testing.assert_allclose(standardised(real[:, None], np.zeros((3, 1), dtype=bool))[:, 0], z_scores(real))


def test_gains_that_are_all_rounding_are_no_spread():
    np.testing.assert_array_equal(z_scores(np.array([0.3, 0.1 + 0.2]) - 0.3), [0, 0])


def test_what_is_seen_may_be_changed(four):
    before = four.table.benefit.copy()
    seen_by(four.table, "a", ["t"])[:] = 7
    np.testing.assert_array_equal(four.table.benefit, before)
