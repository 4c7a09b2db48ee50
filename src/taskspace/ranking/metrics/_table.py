"""The metrics that a leaderboard shows, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError, did_you_mean
from taskspace.ranking.metrics._chance import Chance, chance_level
from taskspace.ranking.metrics._correlation import kendall, spearman, weighted_tau
from taskspace.ranking.metrics._ndcg import ndcg
from taskspace.ranking.metrics._places import precision_at, rank_of_best
from taskspace.ranking.metrics._regret import best_of_k_regret, mean_of_k_regret, regret_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Metric:
    """A function of truth and scores with its settings; ``best`` is what the perfect order gets, ``unit`` in words."""

    function: Callable[..., float]
    unit: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    higher_is_better: bool = True
    best: float = 1.0

    def __call__(self, truth: ArrayLike, scores: ArrayLike) -> float:
        return self.function(truth, scores, **self.settings)

    def chance(self, truth: ArrayLike) -> Chance:
        """What random orders get."""
        return chance_level(self.function, truth, **self.settings)


def _loss(function: Callable[..., float], k: int, unit: str) -> Metric:
    return Metric(function, unit, {"k": k}, higher_is_better=False, best=0.0)


METRICS: Mapping[str, Metric] = {
    "ndcg": Metric(ndcg, "share of the ideal, linear gain", {"gain": "linear"}),
    "regret_1": _loss(regret_at, 1, "units of the truth"),
    "regret_3": _loss(regret_at, 3, "units of the truth"),
    "regret_5": _loss(regret_at, 5, "units of the truth"),
    "best_of_3_regret": _loss(best_of_k_regret, 3, "% of the best"),
    "mean_of_5_regret": _loss(mean_of_k_regret, 5, "% of the mean of the best 5"),
    "rank_of_best": Metric(rank_of_best, "place, from 1", higher_is_better=False),
    "precision_3": Metric(precision_at, "share of the first 3", {"k": 3}),
    "spearman": Metric(spearman, "correlation"),
    "kendall": Metric(kendall, "correlation (tau-b)"),
    "weighted_tau": Metric(weighted_tau, "correlation, hyperbolic weights"),
}


def metric_named(name: str) -> Metric:
    """The metric of that name; raises :class:`SettingError` with the nearest one."""
    if name not in METRICS:
        raise SettingError(f"there is no metric {name!r}{did_you_mean(name, METRICS)}")
    return METRICS[name]
