"""What a metric gets on average when all orders of the candidates are as likely, and how far a value is above that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.ranking.metrics._columns import columns
from taskspace.ranking.metrics._correlation import kendall, spearman, weighted_tau
from taskspace.ranking.metrics._decision import auc_helps
from taskspace.ranking.metrics._ndcg import compatibility_ndcg, ndcg
from taskspace.ranking.metrics._places import hit_at, precision_at, rank_of_best
from taskspace.ranking.metrics._regret import best_of_k_regret, mean_of_k_regret, regret_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

_EXACT: frozenset[Callable[..., float]] = frozenset({
    ndcg, compatibility_ndcg, regret_at, best_of_k_regret, mean_of_k_regret, rank_of_best, precision_at, hit_at,
    auc_helps, spearman, kendall,
})  # fmt: skip
"""Those whose mean over all orders is what scores get that are all equal.

For the two correlations it is 0: a pair is as often in one order as in the other, and the scale is the same in all.
"""


@dataclass(frozen=True)
class Chance:
    """The mean of a metric over random orders; exact, or over ``draws`` of them with standard error ``error``."""

    mean: float
    draws: int = 0
    error: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether no order had to be drawn."""
        return self.draws == 0

    def __str__(self) -> str:
        return f"{self.mean:.3f} " + ("(exact)" if self.exact else f"± {self.error:.3f} ({self.draws} random orders)")


def chance(metric: Callable[..., float], truth: ArrayLike, **settings: Any) -> float:
    """The mean of a metric over all orders of the candidates, each as likely: ``chance_level(…).mean``.

    Exact for all metrics here but :func:`weighted_tau` of a truth with equals; for that, and for any other function,
    the mean of 2,000 orders, the same at every call.
    """
    return chance_level(metric, truth, **settings).mean


def chance_level(
    metric: Callable[..., float], truth: ArrayLike, *, draws: int = 2_000, seed: int = 0, **settings: Any
) -> Chance:
    """:func:`chance`, saying whether it is exact; ``settings`` are those of the metric."""
    worth, equal = columns(truth, np.zeros(np.shape(truth)))
    if metric in _EXACT or (metric is weighted_tau and len(np.unique(worth)) in (1, len(worth))):
        return Chance(float(metric(worth, equal, **settings)))
    values = np.array([metric(worth, order, **settings) for order in _orders(len(worth), draws, seed)])
    return Chance(float(values.mean()), draws, float(values.std(ddof=1) / np.sqrt(draws)))


def skill(value: float, chance: float, *, best: float = 1.0) -> float:
    """How much of the way from ``chance`` to the ``best`` is made: 0 is chance, 1 perfect, negative worse than chance.

    For a regret the best is 0, for :func:`rank_of_best` it is 1.  1 where chance is already the best: every order is.
    """
    return (value - chance) / (best - chance) if best != chance else 1.0


def _orders(candidates: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Scores float64[draws, candidates] without equals."""
    rows = np.tile(np.arange(candidates, dtype=np.float64), (draws, 1))
    return np.random.default_rng(seed).permuted(rows, axis=1)
