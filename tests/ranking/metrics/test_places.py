from __future__ import annotations

import numpy as np
import pytest

from taskspace.ranking.metrics import chance, hit_at, mean_ranks, precision_at, rank_of_best

TRUTH, SCORES = [0.7, 0.9, 0.6, 0.8], [4, 1, 3, 2]
"""Tasks a, b, c, d; the scores put them in the order a, c, d, b, and the best first is b, d, a, c."""


def test_rank_of_best_by_hand():
    assert rank_of_best(TRUTH, SCORES) == 4
    assert rank_of_best(TRUTH, TRUTH) == 1
    assert rank_of_best(TRUTH, [1, 1, 0, 0]) == 1.5  # a and b share the first two places
    assert rank_of_best(TRUTH, [1, 0, 0, 0]) == 3  # b is at 2, 3 or 4
    assert rank_of_best([0.9, 0.9, 0.1], [1, 2, 3]) == 2  # the first met of two best
    assert rank_of_best([0.9, 0.9, 0.1], [0, 0, 0]) == pytest.approx((1 + 1 + 2) / 3)  # the worst is at 3, 2 or 1


def test_rank_of_best_chance_is_half_way():
    rng = np.random.default_rng(0)
    for n in (1, 10, 21):
        assert chance(rank_of_best, rng.permutation(n)) == pytest.approx((n + 1) / 2)


def test_precision_by_hand():
    # Among the first k: a; a, c; a, c, d; truly: b; b, d; b, d, a.
    assert [precision_at(TRUTH, SCORES, k) for k in (1, 2, 3, 4, 9)] == pytest.approx([0, 0, 2 / 3, 1, 1])
    assert precision_at(TRUTH, [1, 1, 0, 0], 2) == 0.5
    assert precision_at(TRUTH, [1, 1, 0, 0], 3) == pytest.approx((1 + 1 + 0.5) / 3)
    assert precision_at([0.9, 0.5, 0.5, 0.1], [4, 1, 3, 2], 2) == 1  # either of the equals is right
    assert chance(precision_at, TRUTH, k=3) == pytest.approx(3 / 4)


def test_hit_by_hand():
    assert [hit_at(TRUTH, SCORES, k) for k in (1, 3, 4)] == [0, 0, 1]
    assert hit_at([0.9, 0.9, 0.1], [3, 2, 1]) == 1.0  # either of two best
    assert chance(hit_at, [0.1, 0.2, 0.3, 0.4], k=3) == pytest.approx(3 / 4)
    assert chance(hit_at, np.random.default_rng(0).permutation(3001), k=1500) == pytest.approx(1500 / 3001)


def test_mean_ranks_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).integers(5, size=30).astype(float)
    np.testing.assert_array_equal(mean_ranks(values), stats.rankdata(-values))
