"""Does a black-box model find the data set of its task?  The check that needs no transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.bench.fute.models import bag_of_words
from taskspace.bench.fute.spaces import similarities
from taskspace.ranking.metrics import bootstrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.models import SourceModel
    from taskspace.bench.fute.study import Study
    from taskspace.prompting.study.rows import Row, Value
    from taskspace.space import Space
    from taskspace.task import Task


def single_tasks(study: Study) -> list[str]:
    """Sources and targets of single texts: bags of words say little of how two texts relate."""
    return [name for name in study.plan.names if not study.tasks.pairs(name)]


def strangers(study: Study, names: Iterable[str]) -> dict[str, SourceModel]:
    """Per task a logistic regression that has seen no row that is embedded."""
    plan = study.plan
    shown = max(plan.source_rows, plan.shots)
    return {
        name: bag_of_words(study.tasks.others(name, shown, plan.fitted_rows), "logistic", name=f"{name} words")
        for name in names
    }


def kin_and_transfers(
    study: Study, space: Space, models: Mapping[str, SourceModel], about: Mapping[str, Value]
) -> list[Row]:
    """How soon each model finds its own data set, and the similarities of sources to targets, all as data sets."""
    plan = study.plan
    sets = {name: space.embed(shown_rows(study, name)) for name in models}
    found = {name: space.embed(model) for name, model in models.items()}
    rows: list[Row] = []
    for name, model in found.items():
        scores = np.array([model.similarity(each) for each in sets.values()])
        own = list(sets).index(name)
        rows.append({**about, "model": name, "reciprocal_rank": reciprocal_rank(scores, own), "among": len(sets)})
    sources, targets = ({n: sets[n] for n in names if n in sets} for names in (plan.sources, plan.targets))
    return rows + similarities(targets, sources, about)


def reciprocal_rank(scores: NDArray[np.float64], own: int) -> float:
    """1/rank of the candidate ``own``, the mean over all orders of equal scores."""
    better = int((scores > scores[own]).sum())
    tied = int((scores == scores[own]).sum())
    return float(np.mean(1 / np.arange(better + 1, better + tied + 1)))


def chance_of(candidates: int) -> float:
    """The mean reciprocal rank of a random order."""
    return float(np.mean(1 / np.arange(1, candidates + 1)))


def kin_beside_transfers(rows: Sequence[Row], judge: Judge | None, by: Sequence[str]) -> list[Row]:
    """A row per setting: how soon models find their data sets, and how good the order of the sources is.

    The prior's and chance's rows follow, since only the latter has them.
    """
    kin = {tuple(row[name] for name in by): row for row in kin_table(rows, by)}
    judged = {} if judge is None else {tuple(row[name] for name in by): row for row in judge.table(rows, by)}
    return [{**kin.get(way, {}), **judged.get(way, {})} for way in dict.fromkeys((*kin, *judged))]


def kin_table(rows: Iterable[Row], by: Sequence[str]) -> list[Row]:
    """Mean reciprocal rank per setting with its interval over models, chance beside it."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.get("model") not in (None, ""):
            groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    table: list[Row] = []
    for group in groups.values():
        interval = bootstrap([float(row["reciprocal_rank"] or 0) for row in group])
        found: Row = {name: group[0].get(name) for name in by}
        found |= {"models": len(group), "mrr": interval.mean, "mrr_low": interval.low, "mrr_high": interval.high}
        table.append({**found, "mrr_chance": chance_of(int(group[0]["among"] or 1))})
    return table


def shown_rows(study: Study, name: str) -> Task:
    """The rows that a task is embedded from."""
    return study.source_rows(name) if name in study.plan.sources else study.target_rows(name)
