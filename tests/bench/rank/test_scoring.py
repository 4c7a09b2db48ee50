"""Orders held against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.bench.rank import Folds, GroundTruth, Judge, Order
from taskspace.bench.rank.scoring import Entry
from taskspace.ranking.history import Transfers
from taskspace.ranking.metrics import METRICS, bootstrap, ndcg, permutation_p, seed_ceiling
from taskspace.ranking.signals import signal_named


@pytest.fixture
def judge(ground):
    return Judge(ground, draws=99)


def _worth(ground, target):
    """Scores averaged over runs, as long as none is missing."""
    return ground.gains(target, ground.candidates(target)) + ground.baseline(target)


def test_metrics_are_of_scores_and_a_perfect_order_gets_the_best(ground, judge):
    orders = [Order(t, ground.gains(t, ground.candidates(t)), 0.0) for t in ground.targets]
    values = judge.values(orders)
    for name, metric in METRICS.items():
        np.testing.assert_allclose(values[name], metric.best, atol=1e-12, err_msg=name)
    turned = judge.values([Order(o.target, -o.scores, 0.0) for o in orders])
    for place, target in enumerate(ground.targets):
        worth = _worth(ground, target)
        for name, metric in METRICS.items():
            assert turned[name][place] == pytest.approx(metric(worth, -worth)), name


def test_relative_regret_is_of_the_score_and_not_of_the_gain(ground, judge):
    orders = Folds(ground).single(signal_named("prior"))
    worth = ground.transfers.scores[:, 0].mean(axis=1)  # p: every run is there, so this is the mean score
    expected = 100 * (worth.max() - worth[np.argsort(-orders[0].scores)[:3]].max()) / worth.max()
    assert judge.values(orders)["best_of_3_regret"][0] == pytest.approx(expected)


def test_what_cannot_be_told_stands_in_the_middle_and_a_mute_target_at_chance(ground, judge):
    orders = [Order("p", np.array([3.0, np.nan, 1.0, np.nan, np.nan]), 0.0)]
    values = judge.values(orders)["ndcg"]
    assert values[0] == pytest.approx(ndcg(_worth(ground, "p"), [3, 2, 1, 2, 2]))
    np.testing.assert_allclose(values[1:], judge.chance.values["ndcg"][1:])
    assert judge.known(orders) == pytest.approx(2 / (5 + 4 + 5 + 5 + 4))


def test_p_is_that_of_the_mean_over_targets(ground, judge):
    orders = Folds(ground).single(signal_named("response"))
    tables = [(_worth(ground, order.target), order.scores) for order in orders]
    assert judge.p(orders) == permutation_p(ndcg, tables, draws=99, gain="linear")


def test_the_ceiling_is_one_half_of_the_runs_judged_by_the_other(ground, judge):
    runs = [ground.runs(t, ground.candidates(t)) for t in ground.targets]
    np.testing.assert_allclose(judge.ceiling.values["ndcg"], seed_ceiling(runs, ndcg))
    one = GroundTruth(transfers=Transfers(("a", "b"), ("t",), np.array([[[0.1]], [[0.2]]]), np.zeros((1, 1))))
    assert Judge(one).ceiling is None


def test_skill_is_nothing_for_chance_and_one_for_the_truth(ground, judge):
    perfect = [Order(t, ground.gains(t, ground.candidates(t)), 0.0) for t in ground.targets]
    entry = Entry(name="x", about="", kind="signal", values=judge.values(perfect))
    for name in ("ndcg", "regret_1", "rank_of_best", "spearman"):
        assert judge.skill(entry, name) == pytest.approx(1)
        assert judge.skill(judge.chance, name) == pytest.approx(0)


def test_an_entry_is_compared_by_target():
    rows = [Entry(name=n, about="", kind="signal", values={"ndcg": np.array(v)}) for n, v in
            (("a", [0.9, 0.8, 0.7]), ("b", [0.8, 0.7, 0.6]))]  # fmt: skip
    over = rows[0].over(rows[1])
    assert (over.mean, over.low, over.high) == pytest.approx((0.1, 0.1, 0.1))  # every target differs by as much
    assert rows[0].mean() == bootstrap([0.9, 0.8, 0.7])
