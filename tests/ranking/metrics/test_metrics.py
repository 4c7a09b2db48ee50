"""What all metrics of truth and scores have in common."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskspace.errors import DataError, SettingError
from taskspace.ranking.metrics import (
    auc_helps,
    best_of_k_regret,
    chance,
    compatibility_ndcg,
    hit_at,
    kendall,
    mean_of_k_regret,
    ndcg,
    precision_at,
    rank_of_best,
    regret_at,
    spearman,
    weighted_tau,
)

GAINS = ("linear", "raw", "exp", "exp_rank", "exp_minmax")
SOME = st.sampled_from([0.05, 0.25, 0.5, 0.55, 0.9])
COLUMNS = st.integers(1, 6).flatmap(
    lambda n: st.tuples(st.lists(SOME, min_size=n, max_size=n), st.lists(SOME, min_size=n, max_size=n))
)
OVER_ORDERS = {
    **{f"ndcg {gain}": partial(ndcg, gain=gain) for gain in GAINS},
    **{f"compatibility {gain}": partial(compatibility_ndcg, gain=gain) for gain in GAINS},
    "ndcg of 2": partial(ndcg, k=2), "ndcg of 1, exp_rank": partial(ndcg, gain="exp_rank", k=1),
    "regret 1": regret_at, "regret 2": partial(regret_at, k=2),
    "best of 2": partial(best_of_k_regret, k=2), "best of 3": best_of_k_regret,
    "mean of 2": partial(mean_of_k_regret, k=2), "mean of 5": mean_of_k_regret,
    "rank of best": rank_of_best, "precision 1": partial(precision_at, k=1), "precision 3": precision_at,
    "hit 1": hit_at, "hit 2": partial(hit_at, k=2), "auc": partial(auc_helps, baseline=0.5),
}  # fmt: skip
CORRELATIONS = {"spearman": spearman, "kendall": kendall, "weighted tau": weighted_tau}
ALL = OVER_ORDERS | CORRELATIONS
LOSSES = ("regret", "best of", "mean of")


def named(metrics):
    return pytest.mark.parametrize("metric", list(metrics.values()), ids=list(metrics))


def orders_of(scores):
    """All scores without ties that put higher ones first."""
    for shuffled in itertools.permutations(range(len(scores))):
        places = sorted(shuffled, key=lambda i: -scores[i])  # stable: equals stay as shuffled
        yield -np.argsort(places).astype(float)


@named(OVER_ORDERS)
@settings(max_examples=10)
@given(columns=COLUMNS.filter(lambda columns: len(columns[0]) < 6))
def test_equal_scores_are_the_mean_over_their_orders(metric, columns):
    truth, scores = columns
    values = [metric(truth, order) for order in orders_of(scores)]
    np.testing.assert_allclose(metric(truth, scores), np.mean(values), atol=1e-12)


@named(ALL)
@given(columns=COLUMNS, data=st.data())
@settings(max_examples=10)
def test_the_order_in_which_candidates_are_given_does_not_matter(metric, columns, data):
    truth, scores = map(np.array, columns)
    mixed = data.draw(st.permutations(range(len(truth))))
    np.testing.assert_allclose(metric(truth[mixed], scores[mixed]), metric(truth, scores), atol=1e-12)


@named(ALL)
@given(columns=COLUMNS)
@settings(max_examples=10)
def test_only_the_order_of_the_scores_matters(metric, columns):
    truth, scores = columns
    np.testing.assert_allclose(metric(truth, np.exp(3 * np.array(scores)) - 7), metric(truth, scores), atol=1e-12)


@named(ALL)
@given(truth=st.lists(SOME, min_size=2, max_size=4).filter(lambda truth: len(set(truth)) > 1))
@settings(max_examples=10)
def test_no_order_is_better_than_the_true_one(metric, truth):
    perfect = metric(truth, truth)
    others = [metric(truth, order) for order in orders_of([0] * len(truth))]
    name = next(name for name, known in ALL.items() if known is metric)
    lower = name.startswith((*LOSSES, "rank"))
    assert perfect == pytest.approx(0.0 if name.startswith(LOSSES) else 1.0) or name == "auc"
    assert perfect <= min(others) + 1e-12 if lower else perfect >= max(others) - 1e-12


@named(ALL)
def test_a_single_candidate(metric):
    name = next(name for name, known in ALL.items() if known is metric)
    expected = 0.0 if name.startswith(LOSSES) or name in CORRELATIONS else 0.5 if name == "auc" else 1.0
    assert metric([0.7], [3.0]) == expected
    assert metric([0.7], [-np.inf]) == expected


@named(ALL)
def test_a_truth_without_a_better(metric):
    name = next(name for name, known in ALL.items() if known is metric)
    expected = 0.0 if name.startswith(LOSSES) or name in CORRELATIONS else 0.5 if name == "auc" else 1.0
    assert metric([0.7] * 4, [3.0, 1.0, 1.0, 2.0]) == pytest.approx(expected)
    assert metric([0.7] * 4, [0.0] * 4) == pytest.approx(expected)


@named(OVER_ORDERS)
def test_constant_scores_get_what_chance_gets(metric):
    truth = [0.2, 0.8, 0.8, 0.55, 0.1]
    everything = [metric(truth, order) for order in orders_of([0] * 5)]
    assert metric(truth, [7.0] * 5) == pytest.approx(np.mean(everything))
    assert chance(metric.func if isinstance(metric, partial) else metric, truth, **getattr(metric, "keywords", {})) == (
        metric(truth, [0.0] * 5)
    )


@pytest.mark.parametrize("metric", [ndcg, regret_at, best_of_k_regret, mean_of_k_regret, precision_at, hit_at])
class TestK:
    def test_more_than_there_are_means_all(self, metric):
        truth, scores = [0.3, 0.9, 0.4], [2, 1, 1]
        assert metric(truth, scores, k=99) == pytest.approx(metric(truth, scores, k=3))

    @pytest.mark.parametrize("k", [0, -1])
    def test_none_is_refused(self, metric, k):
        with pytest.raises(SettingError, match=f"k is {k}; look at the first 1 at least"):
            metric([1, 2], [1, 2], k=k)


@pytest.mark.parametrize("metric", [*{getattr(m, "func", m): None for m in ALL.values()}])
class TestRefused:
    @pytest.mark.parametrize(("truth", "scores"), [([1, 2], [1]), ([], []), ([[1, 2]], [[1, 2]]), (1, 1)])
    def test_columns_that_do_not_match(self, metric, truth, scores):
        with pytest.raises(DataError, match=r"truth of shape \(.*\) and scores of shape \(.*\) do not match"):
            metric(truth, scores)

    @pytest.mark.parametrize(
        ("truth", "scores", "said"),
        [
            ([1, np.nan, 3], [1, 2, 3], "truth holds NaN at 1 of 3 places; leave those out"),
            ([1, 2, 3], [np.nan, 2, np.nan], "scores holds NaN at 2 of 3 places; leave those out"),
            ([1, np.inf, 3], [1, 2, 3], "truth holds an infinite value"),
        ],
    )
    def test_what_is_no_number(self, metric, truth, scores, said):
        with pytest.raises(DataError, match=said):
            metric(truth, scores)


def test_scores_may_be_infinite():
    assert ndcg([0.1, 0.5, 0.9], [-np.inf, 1, 2]) == 1.0
    for correlation in CORRELATIONS.values():
        assert correlation([0.1, 0.5, 0.9], [-np.inf, 1, np.inf]) == pytest.approx(1.0)
    assert regret_at([0.1, 0.5], [-np.inf, -np.inf]) == pytest.approx(0.2)
    assert rank_of_best([0.1, 0.5, 0.2], [np.inf, -np.inf, np.inf]) == 3
