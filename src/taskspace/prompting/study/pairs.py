"""Sums of two tasks' vectors: the λ chosen on validation, and what the sum keeps of either task's own prompt."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.prompting.study.mixed import untrained
from taskspace.prompting.study.runs import of_main_metric
from taskspace.prompting.study.statistics import holm, paired
from taskspace.prompting.study.verdicts import Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from taskspace.prompting.study.rows import Row
    from taskspace.prompting.study.runs import Run
    from taskspace.prompting.study.statistics import Comparison

KEPT = Rules.share


@dataclass(frozen=True)
class Sum:
    """One pair from one init: its ``scale`` λ, its test scores on both tasks, and those of their own prompts."""

    tasks: tuple[str, str]
    init: int
    method: str
    scale: float
    scores: tuple[float, float]
    single: tuple[float, float]

    @property
    def relative(self) -> tuple[float, float]:
        """The sum's score as a share of the single-task prompt's, per task."""
        return self.scores[0] / self.single[0], self.scores[1] / self.single[1]

    def untrained(self, starts: Mapping[str, float]) -> float:
        """The same share of what the inits as they are score; 0 where that is not on record."""
        return min(starts.get(task, 0.0) / own for task, own in zip(self.tasks, self.single, strict=True))

    @property
    def kept(self) -> float:
        """The smaller share: a sum serves both tasks only as well as the one it serves worse."""
        return min(self.relative)


@dataclass(frozen=True)
class ScaleCurve:
    """Scores of one pair from one init along λ on one split: ``scores`` maps λ to both tasks' scores."""

    tasks: tuple[str, str]
    init: int
    method: str
    split: str
    scores: Mapping[float, tuple[float, float]]

    @property
    def best(self) -> float:
        """The smallest λ at which the mean of both tasks' scores is highest (the paper's strict ``>``)."""
        return max(sorted(self.scores), key=lambda scale: sum(self.scores[scale]))


def scale_curves(runs: Iterable[Run]) -> list[ScaleCurve]:
    """All curves, pairs in the order of the runs; a λ at which only one task was scored is left out."""
    runs = of_main_metric(runs)
    place = {task: i for i, task in enumerate(dict.fromkeys(run.task for run in runs))}
    found: dict[tuple[tuple[str, str], int, str, str], dict[float, dict[str, list[float]]]] = {}
    for run in runs:
        if run.part == "pairs" and run.other is not None and run.other != run.task:
            first, second = sorted((run.task, run.other), key=lambda task: (place.get(task, len(place)), task))
            curve = found.setdefault(((first, second), run.init, run.method, run.split), {})
            curve.setdefault(round(run.scale, 9), defaultdict(list))[run.task].append(run.score)
    curves = [
        ScaleCurve(
            tasks, init, method, split,
            {
                scale: (float(np.mean(at[tasks[0]])), float(np.mean(at[tasks[1]])))
                for scale, at in sorted(curve.items())
                if len(at) == 2
            },
        )
        for (tasks, init, method, split), curve in found.items()
    ]  # fmt: skip
    return [curve for curve in curves if curve.scores]


def sums(runs: Iterable[Run]) -> list[Sum]:
    """Every pair's test score at its chosen λ, where both single prompts have a score above 0 to be held against.

    A pair that was tested at one λ was given it.  Of several, the validation runs choose; test scores choose nothing,
    so without validation runs such a pair does not count.
    """
    runs = of_main_metric(runs)
    curves = {(each.tasks, each.init, each.method, each.split): each for each in scale_curves(runs)}
    single = single_scores(runs, "test")
    found: list[Sum] = []
    for (tasks, init, method, split), tested in curves.items():
        own = single.get((tasks[0], init), 0.0), single.get((tasks[1], init), 0.0)
        chosen = tested if len(tested.scores) == 1 else curves.get((tasks, init, method, "validation"))
        if split == "test" and min(own) > 0 and chosen is not None and chosen.best in tested.scores:
            found.append(Sum(tasks, init, method, chosen.best, tested.scores[chosen.best], own))
    return found


def single_scores(runs: Iterable[Run], split: str) -> dict[tuple[str, int], float]:
    """Scores of the single-task prompts by task and init, seeds averaged."""
    scores: dict[tuple[str, int], list[float]] = defaultdict(list)
    for run in of_main_metric(runs):
        if run.part == "sources" and run.method == "tuned" and run.split == split:
            scores[run.task, run.init].append(run.score)
    return {key: float(np.mean(own)) for key, own in scores.items()}


def by_pair(found: Sequence[Sum]) -> dict[tuple[tuple[str, str], str], list[Sum]]:
    """The sums of each pair and method, inits in order."""
    groups: dict[tuple[tuple[str, str], str], list[Sum]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.init):
        groups[each.tasks, each.method].append(each)
    return dict(groups)


def keeps(found: Sequence[Sum], share: float = KEPT) -> Comparison:
    """The smaller relative score against ``share``, paired by init: above 0 the sum keeps more."""
    return paired([each.kept for each in found], [share] * len(found))


def pair_table(runs: Iterable[Run], *, share: float = KEPT) -> list[Row]:
    """A row per pair: λ, both tasks' scores beside their own prompts', what is kept, and a test against ``share``.

    ``untrained_kept`` is what the inits as they are keep by the same reckoning: where it is near ``kept``, the sum
    serves no better than no tuning at all.  Holm goes over the pairs of a method.
    """
    runs = of_main_metric(runs)
    groups, starts = by_pair(sums(runs)), untrained(runs)
    tests = {key: keeps(own, share) for key, own in groups.items()}
    adjusted: dict[tuple[tuple[str, str], str], float | None] = {}
    for method in dict.fromkeys(method for _, method in tests):
        keys = [key for key in tests if key[1] == method]
        adjusted |= dict(zip(keys, holm([tests[key].p for key in keys]), strict=True))
    return [_row(own, starts, tests[key], adjusted[key], share) for key, own in groups.items()]


def _row(own: list[Sum], starts: Mapping[str, float], test: Comparison, adjusted: float | None, share: float) -> Row:
    tasks, names = own[0].tasks, ("a", "b")
    row: Row = {"task_a": tasks[0], "task_b": tasks[1], "method": own[0].method, "n": len(own)}
    row["scale"] = float(np.mean([each.scale for each in own]))
    row["scales"] = " ".join(f"{each.scale:g}" for each in own)
    for i, name in enumerate(names):
        row[f"sum_{name}"] = float(np.mean([each.scores[i] for each in own]))
        row[f"single_{name}"] = float(np.mean([each.single[i] for each in own]))
        row[f"relative_{name}"] = float(np.mean([each.relative[i] for each in own]))
    row["kept"] = float(np.mean([each.kept for each in own]))
    row["low"] = None if test.low is None else test.low + share
    row["high"] = None if test.high is None else test.high + share
    row["untrained_kept"] = None
    if all(task in starts for task in tasks):
        singles = [float(np.mean([each.single[i] for each in own])) for i in range(2)]
        row["untrained_kept"] = min(starts[task] / single for task, single in zip(tasks, singles, strict=True))
    return row | {"p": test.p, "p_holm": adjusted, "note": test.note}
