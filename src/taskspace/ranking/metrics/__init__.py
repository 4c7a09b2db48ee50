"""How good an order of candidates is, once the truth is known: metrics, what chance gets, and how sure that is.

``truth`` float64[n] is what each candidate is worth and ``scores`` float64[n] what it was given, higher is better in
both.  Equal scores stand for every order of those candidates: a metric is then its exact mean over the orders, and
chance is what scores get that are all equal.  Correlations are the standard ones for ties instead; each says so.

All are defined for a single candidate (NDCG 1, regret 0, place 1, correlation 0), for a truth or scores that order
nothing, and for a ``k`` beyond the last candidate, which means all.  Scores may be infinite, never NaN; a truth may be
neither: the caller leaves out what was not measured.
"""

from __future__ import annotations

from taskspace.ranking.metrics._ceiling import seed_ceiling
from taskspace.ranking.metrics._chance import Chance, chance, chance_level, skill
from taskspace.ranking.metrics._correlation import kendall, spearman, weighted_tau
from taskspace.ranking.metrics._decision import auc_helps, brier, coverage
from taskspace.ranking.metrics._ndcg import Gain, compatibility_ndcg, ndcg
from taskspace.ranking.metrics._orders import mean_ranks
from taskspace.ranking.metrics._places import hit_at, precision_at, rank_of_best
from taskspace.ranking.metrics._regret import best_of_k_regret, mean_of_k_regret, regret_at
from taskspace.ranking.metrics._table import METRICS, Metric, metric_named
from taskspace.ranking.metrics._uncertainty import Interval, bootstrap, paired, permutation_p, two_level_bootstrap

__all__ = [
    "METRICS", "Chance", "Gain", "Interval", "Metric", "auc_helps", "best_of_k_regret", "bootstrap", "brier", "chance",
    "chance_level", "compatibility_ndcg", "coverage", "hit_at", "kendall", "mean_of_k_regret", "mean_ranks",
    "metric_named", "ndcg", "paired", "permutation_p", "precision_at", "rank_of_best", "regret_at", "seed_ceiling",
    "skill", "spearman", "two_level_bootstrap", "weighted_tau",
]  # fmt: skip
