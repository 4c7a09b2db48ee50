from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.ranking.metrics import chance, kendall, spearman, weighted_tau

TRUTH, SCORES = [0.7, 0.9, 0.6, 0.8], [4, 1, 3, 2]
"""Tasks a, b, c, d at places 3, 1, 4, 2 by truth and 1, 4, 2, 3 by score: only a and c are in the right order."""

SOME = st.sampled_from([0.0, 0.25, 0.5, 0.55, 0.9])
COLUMNS = st.integers(1, 9).flatmap(
    lambda n: st.tuples(st.lists(SOME, min_size=n, max_size=n), st.lists(SOME, min_size=n, max_size=n))
)


def test_by_hand():
    assert spearman(TRUTH, SCORES) == pytest.approx(1 - 6 * (4 + 9 + 4 + 1) / (4 * 15))
    assert kendall(TRUTH, SCORES) == pytest.approx((1 - 5) / 6)
    # Weights by truth 1/3, 1, 1/4, 1/2 and by score 1, 1/4, 1/2, 1/3: all six pairs weigh 3 * 25 / 12 together.
    whole, by_truth, by_score = 25 / 4, 1 / 3 + 1 / 4, 1 + 1 / 2
    assert weighted_tau(TRUTH, SCORES) == pytest.approx(((2 * by_truth - whole) + (2 * by_score - whole)) / (2 * whole))


def test_equals_by_hand():
    scores = [1, 1, 0, 0]  # four pairs are ordered: a over c, b over c, b over d rightly, a over d wrongly
    assert kendall(TRUTH, scores) == pytest.approx((3 - 1) / math.sqrt(6 * 4))
    assert spearman(TRUTH, scores) == pytest.approx(np.corrcoef([3, 1, 4, 2], [1.5, 1.5, 3.5, 3.5])[0, 1])


@settings(max_examples=60)
@given(COLUMNS)
def test_are_those_of_scipy(columns):
    stats = pytest.importorskip("scipy.stats")
    references = {spearman: stats.spearmanr, kendall: stats.kendalltau, weighted_tau: stats.weightedtau}
    for ours, theirs in references.items():
        if all(len(set(column)) > 1 for column in columns):
            np.testing.assert_allclose(ours(*columns), theirs(*columns).statistic, atol=1e-12)
        else:
            assert ours(*columns) == 0.0


@pytest.mark.parametrize("n", [256, 600])
def test_hundreds_of_candidates_are_compared_block_by_block(n):
    stats = pytest.importorskip("scipy.stats")
    truth = np.random.default_rng(0).normal(size=n).round(1)
    scores = (truth + np.random.default_rng(1).normal(size=n)).round(1)
    assert kendall(truth, scores) == pytest.approx(stats.kendalltau(truth, scores).statistic)
    assert weighted_tau(truth, scores) == pytest.approx(stats.weightedtau(truth, scores).statistic)


@pytest.mark.parametrize("correlation", [spearman, kendall, weighted_tau])
def test_perfect_and_reversed(correlation):
    assert correlation(TRUTH, np.exp(TRUTH)) == pytest.approx(1)
    assert correlation(TRUTH, -np.array(TRUTH)) == pytest.approx(-1)
    assert chance(correlation, TRUTH) == 0
    orders = [correlation(TRUTH, order) for order in itertools.permutations(range(4))]
    assert np.mean(orders) == pytest.approx(0)


def test_the_top_counts_more_in_weighted_tau():
    """One exchange of neighbours, at the top or at the bottom."""
    truth, top, bottom = [5, 4, 3, 2, 1], [4, 5, 3, 2, 1], [5, 4, 3, 1, 2]
    assert weighted_tau(truth, top) < kendall(truth, top) == kendall(truth, bottom) < weighted_tau(truth, bottom)
