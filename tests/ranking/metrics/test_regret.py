from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskspace.errors import DataError
from taskspace.ranking.metrics import best_of_k_regret, chance, mean_of_k_regret, regret_at

TRUTH, SCORES = [0.7, 0.9, 0.6, 0.8], [4, 1, 3, 2]
"""Tasks a, b, c, d; the scores put them in the order a, c, d, b."""

LISTS = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(0.01, 100), min_size=n, max_size=n, unique=True),
        st.permutations(range(n)),
        st.integers(1, n + 2),
    )
)


def test_regret_by_hand():
    assert [regret_at(TRUTH, SCORES, k) for k in (1, 2, 3, 4, 9)] == pytest.approx([0.2, 0.2, 0.1, 0, 0])
    assert regret_at(TRUTH, [1, 1, 0, 0]) == pytest.approx(0.1)  # a or b, each as likely


def test_best_of_k_by_hand():
    found = [best_of_k_regret(TRUTH, SCORES, k) for k in (1, 2, 3, 4, 9)]
    assert found == pytest.approx([100 * 0.2 / 0.9, 100 * 0.2 / 0.9, 100 * 0.1 / 0.9, 0, 0])
    assert best_of_k_regret(TRUTH, [1, 1, 0, 0], 1) == pytest.approx(100 * 0.1 / 0.9)
    assert best_of_k_regret(TRUTH, SCORES) == found[2]  # k = 3 in the paper


def test_mean_of_k_by_hand():
    # First: a; a, c; a, c, d.  Best: b; b, d; b, d, a.
    expected = [100 * 0.2 / 0.9, 100 * (0.85 - 0.65) / 0.85, 100 * (0.8 - 0.7) / 0.8, 0, 0]
    assert [mean_of_k_regret(TRUTH, SCORES, k) for k in (1, 2, 3, 4, 9)] == pytest.approx(expected)
    assert mean_of_k_regret(TRUTH, [1, 1, 0, 0], 2) == pytest.approx(100 * (0.85 - 0.8) / 0.85)
    assert mean_of_k_regret(TRUTH, [1, 1, 0, 0], 3) == pytest.approx(100 * (0.8 - 2.3 / 3) / 0.8)  # a, b, and c or d
    six = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert mean_of_k_regret(six, six[::-1]) == mean_of_k_regret(six, six[::-1], 5)  # k = 5 in the paper


@given(LISTS)
def test_both_are_the_published_formulas(lists):
    """Plainly, as they are written, for scores without equals."""
    truth, scores, k = lists
    by_score = sorted(range(len(truth)), key=lambda i: -scores[i])[:k]
    by_truth = sorted(range(len(truth)), key=lambda i: -truth[i])[:k]
    best, found = max(truth), max(truth[i] for i in by_score)
    assert best_of_k_regret(truth, scores, k) == pytest.approx((best - found) / best * 100, abs=1e-9)
    ideal, kept = (sum(truth[i] for i in chosen) / len(chosen) for chosen in (by_truth, by_score))
    assert mean_of_k_regret(truth, scores, k) == pytest.approx((ideal - kept) / ideal * 100, abs=1e-9)


def test_the_two_definitions_disagree():
    """One good candidate among the first is enough for the one, and not for the other."""
    truth, scores = [0.9, 0.1, 0.2, 0.8, 0.8], [5, 4, 3, 2, 1]
    assert best_of_k_regret(truth, scores, 3) == 0
    assert mean_of_k_regret(truth, scores, 3) == pytest.approx(100 * (2.5 - 1.2) / 2.5)


def test_a_negative_best_is_divided_by_its_absolute_value():
    assert best_of_k_regret([-2, -1, -4], [3, 1, 2], 1) == pytest.approx(100)
    assert mean_of_k_regret([-2, -1, -4], [3, 1, 2], 2) == pytest.approx(100 * (-1.5 + 3) / 1.5)


def test_a_best_of_zero_has_no_share():
    with pytest.raises(DataError, match="the best of all is 0, and a regret in % of it has no meaning; use regret_at"):
        best_of_k_regret([0.0, -0.1], [1, 2])
    with pytest.raises(DataError, match="the mean of the 2 best is 0, and a regret in % of it"):
        mean_of_k_regret([0.5, -0.5], [1, 2])
    for regret in (best_of_k_regret, mean_of_k_regret):
        with pytest.raises(DataError, match="is 0"):
            regret([0.0], [1])
    assert regret_at([0.0, -0.1], [1, 2]) == pytest.approx(0.1)


def test_chance_by_hand():
    truth = [0.1, 0.2, 0.6]
    assert chance(regret_at, truth) == pytest.approx(0.3)
    assert chance(regret_at, truth, k=2) == pytest.approx(0.6 - (0.2 + 0.6 + 0.6) / 3)
    assert chance(best_of_k_regret, truth, k=1) == pytest.approx(50)
    assert chance(mean_of_k_regret, truth, k=2) == pytest.approx(100 * (0.4 - 0.3) / 0.4)


def test_many_candidates():
    """The largest of k drawn from 1..n is k (n + 1) / (k + 1) on average."""
    n, k = 3001, 1500
    truth = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))
    lost = n - k * (n + 1) / (k + 1)
    assert regret_at(truth, np.zeros(n), k) == pytest.approx(lost)
    assert best_of_k_regret(truth, np.zeros(n), k) == pytest.approx(100 * lost / n)
