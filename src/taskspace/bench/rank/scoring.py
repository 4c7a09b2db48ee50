"""Scores: every method on every target that was left out, beside chance and what a second measurement would get."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from taskspace.bench.rank.decisions import Advice, Decisions, decided
from taskspace.errors import DataError
from taskspace.ranking.metrics import METRICS, bootstrap, chance_level, paired, permutation_p, seed_ceiling, skill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.bench.rank.costs import Cost
    from taskspace.bench.rank.ground import GroundTruth
    from taskspace.bench.rank.orders import Order
    from taskspace.ranking.metrics import Interval, Metric

MAIN = "ndcg"
SIGNAL, ANSWER, BOUND = "signal", "answer", "bound"


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """A row of the leaderboard: ``values`` float64[targets] by metric.

    ``known`` is the share of candidates that the method could tell of, ``seconds`` the mean per target with features
    at hand.  ``p`` is how likely an order without meaning does as well.
    """

    name: str
    about: str
    kind: str
    values: Mapping[str, NDArray[np.float64]]
    known: float = 1.0
    seconds: float | None = None
    cost: Cost | None = None
    needs: tuple[str, ...] = ()
    p: float | None = None
    decisions: Decisions | None = None
    weights: Mapping[str, float] | None = None

    def mean(self, metric: str = MAIN) -> Interval:
        """Over targets, with its 95 % interval."""
        if metric not in self._means:
            self._means[metric] = bootstrap(self.values[metric])
        return self._means[metric]

    @cached_property
    def _means(self) -> dict[str, Interval]:
        return {}

    def over(self, other: Entry, metric: str = MAIN) -> Interval:
        """How far this is ahead of another: the mean of the paired differences, with its interval."""
        return paired(self.values[metric], other.values[metric])


@final
class Judge:
    """Holds orders against the measured scores of their targets.

    A source of which a method cannot tell stands among the others at their mean score.
    """

    def __init__(self, ground: GroundTruth, *, draws: int = 1000) -> None:
        self._ground = ground
        self._draws = draws

    @property
    def targets(self) -> tuple[str, ...]:
        return self._ground.targets

    def values(self, orders: Sequence[Order]) -> dict[str, NDArray[np.float64]]:
        """Every metric on every target; on one that a method tells nothing of, chance."""
        given = self._given(orders)
        return {
            name: np.array([metric(self._worth[t], given[t]) for t in self.targets]) for name, metric in METRICS.items()
        }

    def p(self, orders: Sequence[Order]) -> float:
        """That of the mean NDCG; see :func:`~taskspace.ranking.metrics.permutation_p`."""
        given = self._given(orders)
        metric = METRICS[MAIN]
        tables = [(self._worth[t], given[t]) for t in self.targets]
        return permutation_p(metric.function, tables, draws=self._draws, **metric.settings)

    def known(self, orders: Sequence[Order]) -> float:
        """Share of all candidates of all targets that the orders tell of."""
        told = sum(int((~np.isnan(order.scores)).sum()) for order in orders)
        return told / sum(map(len, self._worth.values()))

    def decisions(self, orders: Sequence[Order]) -> Decisions | None:
        """Of the gains that were predicted, where they were."""
        advice = [Advice.of(self._gains[o.target], o.gains) for o in orders if o.gains is not None]
        return decided(advice) if advice else None

    @cached_property
    def chance(self) -> Entry:
        """Every order as likely."""
        values = {
            name: np.array([_chance(metric, self._worth[t]) for t in self.targets]) for name, metric in METRICS.items()
        }
        return Entry(name="chance", about="all orders as likely", kind=BOUND, values=values)

    @cached_property
    def ceiling(self) -> Entry | None:
        """Half of the seeds rank and the other half judges; None where no target has two."""
        names = {t: self._ground.candidates(t) for t in self.targets}
        runs = [self._ground.runs(t, names[t]) + self._ground.baseline(t) for t in self.targets]
        try:
            values = {name: seed_ceiling(runs, m.function, **m.settings) for name, m in METRICS.items()}
        except DataError:
            return None
        return Entry(name="seed ceiling", about="half of the seeds ranks, the other judges", kind=BOUND, values=values)

    def skill(self, entry: Entry, name: str = MAIN) -> float:
        """Of the means over targets: 0 for chance, 1 for the perfect order."""
        metric: Metric = METRICS[name]
        return skill(float(entry.values[name].mean()), float(self.chance.values[name].mean()), best=metric.best)

    @cached_property
    def _gains(self) -> dict[str, NDArray[np.float64]]:
        return {t: self._ground.gains(t, self._ground.candidates(t)) for t in self.targets}

    @cached_property
    def _worth(self) -> dict[str, NDArray[np.float64]]:
        """Gains on top of the target's score without transfer, so that regrets in % mean what was published."""
        return {t: gains + self._ground.baseline(t) for t, gains in self._gains.items()}

    def _given(self, orders: Sequence[Order]) -> dict[str, NDArray[np.float64]]:
        found = {order.target: _filled(order.scores) for order in orders}
        return {t: found.get(t, np.zeros(len(self._worth[t]))) for t in self.targets}


def _chance(metric: Metric, worth: NDArray[np.float64]) -> float:
    """Exact where it can be; else of fewer orders the more candidates there are, since each then tells more."""
    draws = min(500, max(50, 20_000 // len(worth)))
    return chance_level(metric.function, worth, draws=draws, **metric.settings).mean


def _filled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(scores)
    return np.where(known, scores, scores[known].mean() if known.any() else 0.0)
