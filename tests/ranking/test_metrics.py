from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking import chance, hit_at, ndcg, regret_at, spearman
from taskspace.ranking.metrics import mean_ranks

SOME = st.sampled_from([0.0, 0.25, 0.5, 0.55, 0.9])
COLUMNS = st.integers(2, 6).flatmap(
    lambda n: st.tuples(st.lists(SOME, min_size=n, max_size=n), st.lists(SOME, min_size=n, max_size=n))
)
METRICS = [
    (ndcg, {}), (ndcg, {"k": 2}), (ndcg, {"gain": "raw"}), (ndcg, {"gain": "exp", "k": 1}),
    (regret_at, {"k": 1}), (regret_at, {"k": 2}), (hit_at, {"k": 1}), (hit_at, {"k": 2}),
]  # fmt: skip


def orders_of(scores):
    """All scores without ties that put higher ones first."""
    for shuffled in itertools.permutations(range(len(scores))):
        places = sorted(shuffled, key=lambda i: -scores[i])  # stable: equals stay as shuffled
        yield -np.argsort(places).astype(float)


@settings(max_examples=20)
@given(COLUMNS)
def test_ndcg_is_that_of_scikit_learn(columns):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, scores = map(np.array, columns)
    scaled = (truth - truth.min()) / (np.ptp(truth) or 1)
    for gain, gains in [("linear", scaled), ("raw", truth), ("exp", 2**truth - 1)]:
        for k in (None, 1, 2, 9):
            if gains.any():
                expected = metrics.ndcg_score(gains[None], scores[None], k=k)
                np.testing.assert_allclose(ndcg(truth, scores, gain=gain, k=k), expected)
            else:
                assert ndcg(truth, scores, gain=gain, k=k) == 1.0


@given(COLUMNS)
def test_spearman_is_that_of_scipy(columns):
    stats = pytest.importorskip("scipy.stats")
    truth, scores = columns
    if len(set(truth)) > 1 and len(set(scores)) > 1:
        np.testing.assert_allclose(spearman(truth, scores), stats.spearmanr(truth, scores).statistic, atol=1e-12)
    else:
        assert spearman(truth, scores) == 0.0
    np.testing.assert_allclose(mean_ranks(np.array(truth)), stats.rankdata([-t for t in truth]))


@pytest.mark.parametrize(("metric", "options"), METRICS)
@settings(max_examples=20)
@given(columns=COLUMNS.filter(lambda columns: len(columns[0]) < 6))
def test_equal_scores_are_the_mean_over_their_orders(metric, options, columns):
    truth, scores = columns
    values = [metric(truth, order, **options) for order in orders_of(scores)]
    np.testing.assert_allclose(metric(truth, scores, **options), np.mean(values), atol=1e-12)
    everything = [metric(truth, order, **options) for order in orders_of([0] * len(truth))]
    np.testing.assert_allclose(chance(metric, truth, **options), np.mean(everything), atol=1e-12)


def test_ndcg_by_hand():
    # Gains 1, 0.5, 0 in the order 0.5, 1, 0.
    discounts = [1, 1 / math.log2(3), 1 / 2]
    expected = (0.5 * discounts[0] + 1 * discounts[1]) / (1 * discounts[0] + 0.5 * discounts[1])
    assert ndcg([0.8, 0.6, 0.7], [2, 1, 3]) == pytest.approx(expected)


def test_regret_and_hit_by_hand():
    truth, scores = [0.7, 0.9, 0.6, 0.8], [4, 1, 3, 2]
    assert [regret_at(truth, scores, k) for k in (1, 2, 3, 4, 9)] == pytest.approx([0.2, 0.2, 0.1, 0, 0])
    assert [hit_at(truth, scores, k) for k in (1, 3, 4)] == [0, 0, 1]
    assert regret_at(truth, [1, 1, 0, 0]) == pytest.approx(0.1)  # one of the first two, each as likely
    assert hit_at([0.9, 0.9, 0.1], [3, 2, 1]) == 1.0  # either of two best


def test_chance_by_hand():
    assert chance(hit_at, [0.1, 0.2, 0.3, 0.4], k=3) == pytest.approx(3 / 4)
    assert chance(regret_at, [0.1, 0.2, 0.6]) == pytest.approx(0.3)
    assert chance(spearman, [0.1, 0.2, 0.6]) == 0.0
    # Accuracies a few points apart, taken as gains: chance is nearly perfect, whatever the order.
    assert chance(ndcg, np.linspace(0.80, 0.9, 13), gain="exp") > 0.93
    assert chance(ndcg, np.linspace(0.80, 0.9, 13)) < 0.85


def test_many_candidates():
    """The largest of k drawn from 1..n is k (n + 1) / (k + 1) on average."""
    n, k = 3001, 1500
    truth = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))
    assert regret_at(truth, np.zeros(n), k) == pytest.approx(n - k * (n + 1) / (k + 1))
    assert hit_at(truth, np.zeros(n), k) == pytest.approx(k / n)


@given(COLUMNS, st.integers(1, 6))
def test_bounds_and_the_perfect_order(columns, k):
    truth, scores = columns
    assert 0 <= ndcg(truth, scores, k=k) <= 1 + 1e-12
    assert -1e-12 <= regret_at(truth, scores, k) <= np.ptp(truth) + 1e-12
    assert -1 - 1e-12 <= spearman(truth, scores) <= 1 + 1e-12
    assert ndcg(truth, truth, k=k) == pytest.approx(1.0)
    assert regret_at(truth, truth, k) == pytest.approx(0.0)
    assert hit_at(truth, truth, k) == pytest.approx(1.0)


@given(COLUMNS)
def test_only_the_order_of_the_scores_matters(columns):
    truth, scores = columns
    for metric, options in [*METRICS, (spearman, {})]:
        assert metric(truth, np.exp(3 * np.array(scores)) - 7, **options) == pytest.approx(
            metric(truth, scores, **options)
        )


def test_scores_may_be_infinite():
    assert ndcg([0.1, 0.5, 0.9], [-np.inf, 1, 2]) == 1.0
    assert spearman([0.1, 0.5, 0.9], [-np.inf, 1, np.inf]) == pytest.approx(1.0)
    assert regret_at([0.1, 0.5], [-np.inf, -np.inf]) == pytest.approx(0.2)


@pytest.mark.parametrize("metric", [ndcg, regret_at, hit_at, spearman])
class TestRefused:
    @pytest.mark.parametrize(("truth", "scores"), [([1, 2], [1]), ([], []), ([[1, 2]], [[1, 2]])])
    def test_columns_that_do_not_match(self, metric, truth, scores):
        with pytest.raises(DataError, match="do not match"):
            metric(truth, scores)

    @pytest.mark.parametrize(("truth", "scores"), [([1, np.nan], [1, 2]), ([1, 2], [1, np.nan]), ([1, np.inf], [1, 2])])
    def test_what_is_no_number(self, metric, truth, scores):
        with pytest.raises(DataError, match="NaN"):
            metric(truth, scores)


def test_settings_that_are_none():
    with pytest.raises(SettingError, match="no gain 'lineal'; did you mean 'linear'?"):
        ndcg([1, 2], [1, 2], gain="lineal")
    with pytest.raises(SettingError, match="gain 'raw' takes no negative truth, and the least is -1"):
        ndcg([-1, 2], [1, 2], gain="raw")
    for metric in (ndcg, regret_at, hit_at):
        with pytest.raises(SettingError, match="k is 0"):
            metric([1, 2], [1, 2], k=0)
