"""Orders of sources against the truth: where the best source stands, NDCG and regret, beside chance and the prior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np

from taskspace.ranking.history import source_prior
from taskspace.ranking.metrics import bootstrap, metric_named, paired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.prompting.study.rows import Row, Value
    from taskspace.ranking.history import Transfers
    from taskspace.ranking.metrics import Interval

MEASURED = {"ndcg": 1.0, "rank_of_best": 1.0, "regret_3": 100.0}
"""The metrics of every table, and what they are multiplied by: regrets are shown in points of the score."""

EVERY, IN_CLASS = "all", "in class"
"""Which sources are candidates: all, or those that read pairs where the target does, and single texts otherwise."""

ALL_TARGETS, CROSS_DOMAIN = "all", "cross-domain"

PRIOR, CHANCE = ("prior",), ("chance",)
"""How the two baselines are called among the ways of ordering."""

Way: TypeAlias = "tuple[Value, ...]"
Order: TypeAlias = "Mapping[str, Mapping[str, float]]"
"""What each candidate of each target is given, higher is better."""
Marks: TypeAlias = "Mapping[str, Mapping[str, float]]"
"""What an order gets on each target, by metric."""


@final
@dataclass(frozen=True, eq=False)
class Judge:
    """Scores orders against measured ``transfers``; ``pairs`` says of every task whether it reads pairs."""

    transfers: Transfers
    pairs: Mapping[str, bool]
    cross_domain: tuple[str, ...] = ()

    @classmethod
    def of(cls, transfers: Transfers, pairs: Mapping[str, bool], cross_domain: Iterable[str] = ()) -> Judge:
        """Of a table that may still grow, without self-transfers.

        Of each target those runs count that have as many sources as its fullest: else sources would be compared that
        were measured with other seeds.
        """
        known = transfers.foreign
        counts = (~np.isnan(known.scores)).sum(axis=0)
        full = counts == counts.max(axis=1, keepdims=True, initial=1)
        return cls(replace(known, scores=np.where(full, known.scores, np.nan)), pairs, tuple(cross_domain))

    def runs(self, target: str) -> int:
        """How many seeds count for a target."""
        place = self.transfers.targets.index(target)
        return int((~np.isnan(self.transfers.scores[:, place])).any(axis=0).sum())

    def marks(
        self,
        rows: Iterable[Row],
        by: Sequence[str],
        *,
        score: str = "cosine",
        of: str = ALL_TARGETS,
        candidates: str = EVERY,
    ) -> dict[Way, Marks]:
        """Each group of similarities that agree in the columns ``by``, then the prior and chance.

        All are scored on the same candidates: those that every group has.  Targets with fewer than two are left out.
        """
        orders = _orders(rows, by, score)
        shared = self._shared(orders.values(), of, candidates)
        prior = {t: self._by_source(source_prior(self.transfers, t)) for t in shared}
        equal = {t: dict.fromkeys(names, 0.0) for t, names in shared.items()}
        ways: dict[Way, Order] = {**orders, PRIOR: prior, CHANCE: equal}
        return {way: {t: self._marked(order, t, names) for t, names in shared.items()} for way, order in ways.items()}

    def table(
        self,
        rows: Iterable[Row],
        by: Sequence[str],
        *,
        score: str = "cosine",
        of: str = ALL_TARGETS,
        candidates: str = EVERY,
    ) -> list[Row]:
        """A row for each of :meth:`marks`: means over targets with their bootstrap intervals."""
        marks = self.marks(rows, by, score=score, of=of, candidates=candidates)
        ndcg = {way: [target["ndcg"] for target in found.values()] for way, found in marks.items()}
        table: list[Row] = []
        for way, found in marks.items():
            if not found:
                continue
            row: Row = {**dict.fromkeys(by), **dict(zip(by, way, strict=False)), "targets": len(found)}
            row["sources"] = float(np.mean([target["sources"] for target in found.values()]))
            for name in MEASURED:
                row |= _interval(name, bootstrap([target[name] for target in found.values()]))
            for base in (PRIOR, CHANCE):
                if way not in (PRIOR, CHANCE):
                    row |= _interval(f"above_{base[0]}", paired(ndcg[way], ndcg[base]))
            table.append(row)
        return table

    def _marked(self, order: Order, target: str, names: Sequence[str]) -> dict[str, float]:
        truth = self._truth(target)
        worth, given = (np.array([values[s] for s in names]) for values in (truth, order[target]))
        found = {name: metric_named(name)(worth, given) * unit for name, unit in MEASURED.items()}
        return {**found, "sources": float(len(names))}

    def _shared(self, orders: Iterable[Order], of: str, candidates: str) -> dict[str, list[str]]:
        every = list(orders)
        asked = self.transfers.targets if of == ALL_TARGETS else self.cross_domain
        found: dict[str, list[str]] = {}
        for target in [name for name in asked if every and name in self.transfers.targets]:
            known = {source for source, worth in self._truth(target).items() if not np.isnan(worth)}
            names = sorted(known.intersection(*(order.get(target, ()) for order in every)))
            if candidates == IN_CLASS:
                names = [source for source in names if self.pairs[source] == self.pairs[target]]
            if len(names) > 1:
                found[target] = names
        return found

    def _truth(self, target: str) -> dict[str, float]:
        return self._by_source(self.transfers.column(target))

    def _by_source(self, values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.transfers.sources, values.tolist(), strict=True))


def _interval(name: str, found: Interval) -> Row:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


def _orders(rows: Iterable[Row], by: Sequence[str], score: str) -> dict[Way, dict[str, dict[str, float]]]:
    """Similarities by group, target and source; a candidate that says nothing stands last."""
    found: dict[Way, dict[str, dict[str, float]]] = {}
    for row in rows:
        if row.get("source") is None or row["source"] == row["target"]:
            continue
        value = row.get(score)
        group = found.setdefault(tuple(row.get(name) for name in by), {})
        group.setdefault(str(row["target"]), {})[str(row["source"])] = -np.inf if value is None else float(value)
    return found
