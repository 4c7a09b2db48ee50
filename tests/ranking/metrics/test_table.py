from __future__ import annotations

import pytest

from taskspace.errors import SettingError
from taskspace.ranking.metrics import (
    METRICS,
    best_of_k_regret,
    kendall,
    mean_of_k_regret,
    metric_named,
    ndcg,
    precision_at,
    rank_of_best,
    regret_at,
    skill,
    spearman,
    weighted_tau,
)

TRUTH, SCORES = [0.7, 0.9, 0.6, 0.8, 0.75, 0.5, 0.65], [4, 1, 3, 2, 5, 0, 2.5]
EXPECTED = {
    "ndcg": ndcg(TRUTH, SCORES, gain="linear"),
    "regret_1": regret_at(TRUTH, SCORES, 1),
    "regret_3": regret_at(TRUTH, SCORES, 3),
    "regret_5": regret_at(TRUTH, SCORES, 5),
    "best_of_3_regret": best_of_k_regret(TRUTH, SCORES, 3),
    "mean_of_5_regret": mean_of_k_regret(TRUTH, SCORES, 5),
    "rank_of_best": rank_of_best(TRUTH, SCORES),
    "precision_3": precision_at(TRUTH, SCORES, 3),
    "spearman": spearman(TRUTH, SCORES),
    "kendall": kendall(TRUTH, SCORES),
    "weighted_tau": weighted_tau(TRUTH, SCORES),
}


def test_each_name_is_its_function():
    assert {name: metric(TRUTH, SCORES) for name, metric in METRICS.items()} == EXPECTED


@pytest.mark.parametrize("name", list(METRICS))
def test_best_and_direction_are_as_said(name):
    metric = METRICS[name]
    perfect, reverse = metric(TRUTH, TRUTH), metric(TRUTH, [-t for t in TRUTH])
    assert perfect == pytest.approx(metric.best)
    assert (perfect > reverse) == metric.higher_is_better
    assert metric.unit


@pytest.mark.parametrize("name", list(METRICS))
def test_skill_is_1_for_the_perfect_order_0_for_chance_and_less_for_the_reverse(name):
    metric = METRICS[name]
    level = metric.chance(TRUTH)
    assert level.exact
    assert skill(metric(TRUTH, TRUTH), level.mean, best=metric.best) == pytest.approx(1)
    assert skill(metric(TRUTH, [0] * 7), level.mean, best=metric.best) == pytest.approx(0)
    assert skill(metric(TRUTH, [-t for t in TRUTH]), level.mean, best=metric.best) < 0


def test_a_name_that_is_none():
    assert metric_named("kendall") is METRICS["kendall"]
    with pytest.raises(SettingError, match="there is no metric 'regret_2'; did you mean 'regret_"):
        metric_named("regret_2")
