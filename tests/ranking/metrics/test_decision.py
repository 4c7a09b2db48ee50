from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError
from taskspace.ranking.metrics import auc_helps, brier, chance, coverage

SOME = st.sampled_from([-0.5, -0.1, 0.0, 0.2, 0.9])
COLUMNS = st.integers(1, 9).flatmap(
    lambda n: st.tuples(st.lists(SOME, min_size=n, max_size=n), st.lists(SOME, min_size=n, max_size=n))
)


class TestAuc:
    def test_by_hand(self):
        gains = [0.02, -0.01, 0.03, 0.0]  # the first and third help; 0 does not
        assert auc_helps(gains, [3, 2, 4, 1]) == 1
        assert auc_helps(gains, [3, 4, 1, 2]) == 1 / 4  # of four pairs only 3 over 2
        assert auc_helps(gains, [1, 1, 1, 0]) == 3 / 4  # two sure, two halves
        assert auc_helps([0.71, 0.69, 0.73, 0.70], [3, 4, 1, 2], baseline=0.7) == 1 / 4

    @given(COLUMNS)
    def test_is_that_of_scikit_learn(self, columns):
        metrics = pytest.importorskip("sklearn.metrics")
        gains, scores = columns
        helps = np.array(gains) > 0
        if helps.all() or not helps.any():
            assert auc_helps(gains, scores) == 0.5
        else:
            assert auc_helps(gains, scores) == pytest.approx(metrics.roc_auc_score(helps, scores))

    def test_chance(self):
        assert chance(auc_helps, [0.1, -0.2, 0.3]) == 0.5

    def test_a_baseline_that_is_no_number(self):
        with pytest.raises(DataError, match="the baseline is nan; measure what is had without transfer"):
            auc_helps([1, 2], [1, 2], baseline=float("nan"))


class TestBrier:
    def test_by_hand(self):
        assert brier([0.9, 0.2, 0.5, 1.0], [1, 0, 1, 0]) == pytest.approx((0.01 + 0.04 + 0.25 + 1) / 4)
        assert brier([1.0, 0.0], [True, False]) == 0
        assert brier([0.5] * 3, [True, False, True]) == 0.25

    def test_is_that_of_scikit_learn(self):
        metrics = pytest.importorskip("sklearn.metrics")
        rng = np.random.default_rng(0)
        said, seen = rng.uniform(size=50), rng.integers(2, size=50)
        assert brier(said, seen) == pytest.approx(metrics.brier_score_loss(seen, said))

    def test_refused(self):
        with pytest.raises(DataError, match=r"probabilities run from -0\.1 to 1\.5; give them between 0 and 1"):
            brier([-0.1, 1.5], [0, 1])
        with pytest.raises(DataError, match="happened holds other values than 0 and 1"):
            brier([0.1, 0.5], [0, 0.5])
        with pytest.raises(DataError, match="probabilities holds NaN at 1 of 2"):
            brier([np.nan, 0.5], [0, 1])
        with pytest.raises(DataError, match=r"probabilities of shape \(1,\) and happened of shape \(2,\) do not match"):
            brier([0.1], [0, 1])


class TestCoverage:
    def test_by_hand(self):
        assert coverage([0, 0, 0, 0], [1, 1, 1, 1], [0.5, 1, 1.1, -1]) == 0.5
        assert coverage([-np.inf, 0.2], [np.inf, 0.2], [1e9, 0.2]) == 1

    def test_nominal_intervals_cover_as_often_as_they_say(self):
        truth = np.random.default_rng(0).normal(size=4000)
        assert coverage(np.full(4000, -1.6449), np.full(4000, 1.6449), truth) == pytest.approx(0.9, abs=0.02)

    def test_refused(self):
        with pytest.raises(DataError, match="1 of 2 intervals end below their start; give low, then high"):
            coverage([0, 1], [1, 0], [0, 0])
        with pytest.raises(DataError, match="truth holds NaN at 1 of 1"):
            coverage([0], [1], [np.nan])
        with pytest.raises(DataError, match="do not match"):
            coverage([], [], [])
