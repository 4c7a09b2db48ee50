from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import SettingError
from taskspace.ranking.metrics import chance, compatibility_ndcg, ndcg

GAINS = ("linear", "raw", "exp", "exp_rank", "exp_minmax")
SOME = st.sampled_from([0.0, 0.25, 0.5, 0.55, 0.9])
COLUMNS = st.integers(2, 6).flatmap(
    lambda n: st.tuples(st.lists(SOME, min_size=n, max_size=n), st.lists(SOME, min_size=n, max_size=n))
)
LOG3, LOG5 = math.log2(3), math.log2(5)

TRUTH, SCORES = [0.7, 0.9, 0.6, 0.8], [4, 1, 3, 2]
"""Tasks a, b, c, d; the scores put them in the order a, c, d, b, and the best first is b, d, a, c."""


def dcg(first, second, third, fourth):
    return first + second / LOG3 + third / 2 + fourth / LOG5


@pytest.mark.parametrize(
    ("gain", "a", "b", "c", "d"),
    [
        ("linear", 1 / 3, 1, 0, 2 / 3),
        ("raw", 0.7, 0.9, 0.6, 0.8),
        ("exp", 2**0.7 - 1, 2**0.9 - 1, 2**0.6 - 1, 2**0.8 - 1),
        ("exp_rank", 1, 7, 0, 3),
        ("exp_minmax", 2 ** (4 / 3) - 1, 15, 0, 2 ** (8 / 3) - 1),
    ],
)
class TestByHand:
    def test_all_places(self, gain, a, b, c, d):
        assert ndcg(TRUTH, SCORES, gain=gain) == pytest.approx(dcg(a, c, d, b) / dcg(b, d, a, c))

    def test_two_places(self, gain, a, b, c, d):
        assert ndcg(TRUTH, SCORES, gain=gain, k=2) == pytest.approx(dcg(a, c, 0, 0) / dcg(b, d, 0, 0))

    def test_equal_scores(self, gain, a, b, c, d):
        tied = dcg((a + b) / 2, (a + b) / 2, (c + d) / 2, (c + d) / 2)
        assert ndcg(TRUTH, [1, 1, 0, 0], gain=gain) == pytest.approx(tied / dcg(b, d, a, c))

    def test_compatibility(self, gain, a, b, c, d):
        """In true order b, d, a, c; predicted places 4, 3, 1, 2; the gains of these places are c, a, b, d."""
        assert compatibility_ndcg(TRUTH, SCORES, gain=gain) == pytest.approx(dcg(c, a, b, d) / dcg(b, d, a, c))


@settings(max_examples=20)
@given(COLUMNS)
def test_is_that_of_scikit_learn(columns):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, scores = map(np.array, columns)
    scaled = (truth - truth.min()) / (np.ptp(truth) or 1)
    worse = np.array([(truth < one).sum() for one in truth])
    expected = [scaled, truth, 2**truth - 1, 2.0**worse - 1, 2 ** (4 * scaled) - 1]
    for gain, gains in zip(GAINS, expected, strict=True):
        for k in (None, 1, 2, 9):
            if gains.any():
                reference = metrics.ndcg_score(gains[None], scores[None], k=k)
                np.testing.assert_allclose(ndcg(truth, scores, gain=gain, k=k), reference)
            else:
                assert ndcg(truth, scores, gain=gain, k=k) == 1.0


@given(COLUMNS, st.sampled_from(GAINS), st.integers(1, 6))
def test_lies_between_0_and_1(columns, gain, k):
    assert 0 <= ndcg(*columns, gain=gain, k=k) <= 1 + 1e-12


def test_reversed_orders_by_hand():
    assert ndcg([3, 2, 1, 0], [1, 2, 3, 4], gain="raw") == pytest.approx(dcg(0, 1, 2, 3) / dcg(3, 2, 1, 0))


@pytest.mark.parametrize("n", [400, 3000])
def test_ranks_of_hundreds_do_not_overflow(n):
    """All gains but the first few vanish beside the best: 2**(n-1), half of it, a quarter ..."""
    truth = np.random.default_rng(0).permutation(n) / n
    discounts = 1 / np.log2(np.arange(n) + 2)
    halves = 0.5 ** np.arange(60)
    assert ndcg(truth, truth, gain="exp_rank") == pytest.approx(1)
    assert ndcg(truth, -truth, gain="exp_rank") == pytest.approx(
        (halves @ discounts[::-1][:60]) / (halves @ discounts[:60]), rel=1e-9
    )
    assert ndcg(truth, np.zeros(n), gain="exp_rank") == pytest.approx(
        discounts.mean() * 2 / (halves @ discounts[:60]), rel=1e-9
    )
    large = 1e6 * truth  # and neither do percentages of anything
    assert 0 <= ndcg(large, -truth, gain="exp") < ndcg(large, truth, gain="exp") == pytest.approx(1)


def test_equal_truths_have_equal_ranks():
    """Others worse: 2, 2, 0, 0."""
    expected = dcg(0, 3, 3, 0) / dcg(3, 3, 0, 0)
    assert ndcg([0.9, 0.9, 0.1, 0.1], [2, 3, 4, 1], gain="exp_rank") == pytest.approx(expected)


def test_settings_that_are_none():
    for metric in (ndcg, compatibility_ndcg):
        with pytest.raises(SettingError, match="no gain 'lineal'; did you mean 'linear'?"):
            metric([1, 2], [1, 2], gain="lineal")
        for gain in ("raw", "exp"):
            with pytest.raises(SettingError, match=f"gain '{gain}' takes no negative truth, and the least is -1"):
                metric([-1, 2], [1, 2], gain=gain)
        for gain in ("linear", "exp_rank", "exp_minmax"):
            assert metric([-1, 2], [1, 2], gain=gain) == pytest.approx(1)


# --- the compatibility evaluator ------------------------------------------------------------------------------------


def walked(gains, true_order, predicted):
    """Plainly: go through the candidates, truly best first; each shows the gain of the place it was predicted at."""
    ideal = sorted(gains, reverse=True)
    shown = [ideal[predicted.index(candidate)] for candidate in true_order]
    return sum(g / math.log2(i + 2) for i, g in enumerate(shown)) / sum(
        g / math.log2(i + 2) for i, g in enumerate(ideal)
    )


def orders_of(values):
    """All orders of the candidates that put higher values first."""
    return {tuple(sorted(mixed, key=lambda i: -values[i])) for mixed in itertools.permutations(range(len(values)))}


@settings(max_examples=25)
@given(COLUMNS.filter(lambda columns: len(columns[0]) < 5 and len(set(columns[0])) > 1))
def test_compatibility_is_the_mean_over_the_orders_of_both_columns(columns):
    truth, scores = columns
    gains = [2.0 ** sum(other < one for other in truth) - 1 for one in truth]
    values = [walked(gains, true, predicted) for true in orders_of(truth) for predicted in orders_of(scores)]
    assert compatibility_ndcg(truth, scores) == pytest.approx(np.mean(values))


def test_compatibility_is_another_measure():
    """On 13 candidates the two differ, in both directions, and agree on the perfect order and its reverse."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, 0.9, size=(300, 13))
    scores = truth + rng.normal(scale=0.1, size=truth.shape)
    gaps = np.array([compatibility_ndcg(t, s, gain="linear") - ndcg(t, s) for t, s in zip(truth, scores, strict=True)])
    assert gaps.min() < -0.01 < 0.01 < gaps.max()
    assert compatibility_ndcg(truth[0], truth[0]) == pytest.approx(1)
    assert compatibility_ndcg(truth[0], -truth[0]) == pytest.approx(ndcg(truth[0], -truth[0], gain="exp_rank"))


# --- chance ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "figures"),
    [
        (10, (0.93, 0.50, 0.59, 0.70, 0.95, 0.80)),
        (13, (0.93, 0.47, 0.54, 0.69, 0.94, 0.80)),
        (21, (0.93, 0.41, 0.45, 0.70, 0.94, 0.81)),
    ],
)
def test_known_chance_levels(n, figures):
    """Figures known from 3,000 random orders of accuracies uniform between .5 and .9."""
    lists = np.random.default_rng(0).uniform(0.5, 0.9, size=(400, n))
    columns = [("exp", 1), ("exp", 100), ("exp_rank", 1), ("exp_minmax", 1), ("raw", 1), ("linear", 1)]
    for (gain, scale), figure in zip(columns, figures, strict=True):
        found = np.mean([chance(ndcg, scale * truth, gain=gain) for truth in lists])
        assert found == pytest.approx(figure, abs=0.02 if scale > 1 else 0.01), gain


def test_chance_with_accuracies_as_gains_is_nearly_perfect():
    assert chance(ndcg, np.linspace(0.80, 0.9, 13), gain="exp") > 0.93
    assert chance(ndcg, np.linspace(0.80, 0.9, 13)) < 0.85
