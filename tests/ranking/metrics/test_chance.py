from __future__ import annotations

import itertools

import numpy as np
import pytest

from taskspace.errors import DataError
from taskspace.ranking.metrics import (
    auc_helps,
    best_of_k_regret,
    chance,
    chance_level,
    compatibility_ndcg,
    hit_at,
    kendall,
    mean_of_k_regret,
    ndcg,
    precision_at,
    rank_of_best,
    regret_at,
    skill,
    spearman,
    weighted_tau,
)

EXACT = [
    (ndcg, {}), (ndcg, {"gain": "exp_rank", "k": 3}), (compatibility_ndcg, {}), (regret_at, {"k": 2}),
    (best_of_k_regret, {"k": 2}), (mean_of_k_regret, {"k": 3}), (rank_of_best, {}), (precision_at, {"k": 3}),
    (hit_at, {"k": 2}), (spearman, {}), (kendall, {}), (auc_helps, {"baseline": 0.6}),
]  # fmt: skip
TRUTH = np.array([0.61, 0.55, 0.9, 0.72, 0.55, 0.81, 0.3, 0.9])


@pytest.mark.parametrize(("metric", "options"), EXACT)
def test_exact_chance_agrees_with_random_orders(metric, options):
    exact = chance_level(metric, TRUTH, **options)
    drawn = chance_level(lambda truth, scores: metric(truth, scores, **options), TRUTH, draws=800)
    assert exact.exact
    assert not drawn.exact
    assert drawn.mean == pytest.approx(exact.mean, abs=4 * drawn.error)
    assert chance(metric, TRUTH, **options) == exact.mean


@pytest.mark.parametrize("truth", [[0.2, 0.9, 0.9, 0.9, 0.1], [0.3, 0.3, 0.8, 0.1], [0.2, 0.5, 0.5]])
def test_weighted_tau_of_equal_truths_has_its_chance_drawn(truth):
    """Chance is not 0 there: where the equals fall decides how much all pairs weigh together."""
    orders = [weighted_tau(truth, order) for order in itertools.permutations(range(len(truth)))]
    drawn = chance_level(weighted_tau, truth, draws=500)
    assert (drawn.exact, drawn.draws) == (False, 500)
    assert drawn.mean == pytest.approx(np.mean(orders), abs=4 * drawn.error)
    assert str(drawn).endswith(f"± {drawn.error:.3f} (500 random orders)")


def test_drawn_chance_is_the_same_at_every_call():
    level = chance_level(weighted_tau, [0.2, 0.5, 0.5])
    assert level.draws == 2000
    assert chance(weighted_tau, [0.2, 0.5, 0.5]) == level.mean
    assert chance_level(weighted_tau, [0.2, 0.5, 0.5], draws=100) != chance_level(
        weighted_tau, [0.2, 0.5, 0.5], draws=100, seed=1
    )


def test_exact_chance_says_so():
    level = chance_level(weighted_tau, [0.1, 0.3, 0.2])
    assert (str(level), level.exact, level.error) == ("0.000 (exact)", True, 0.0)
    assert str(chance_level(rank_of_best, range(10))) == "5.500 (exact)"
    assert chance_level(weighted_tau, [0.5, 0.5]).exact


def test_chance_refuses_what_the_metrics_refuse():
    with pytest.raises(DataError, match="truth holds NaN"):
        chance(weighted_tau, [0.1, np.nan])
    with pytest.raises(DataError, match="do not match"):
        chance(ndcg, [])


def test_skill():
    assert skill(0.9, 0.8) == pytest.approx(0.5)
    assert skill(0.8, 0.8) == 0
    assert skill(0.7, 0.8) == pytest.approx(-0.5)
    assert skill(1.0, 1.0) == 1.0
    assert skill(0.01, 0.04, best=0) == pytest.approx(0.75)  # a regret a quarter of that of chance
    assert skill(3.25, 5.5) == pytest.approx(0.5)  # the average rank: its best is 1 as well
