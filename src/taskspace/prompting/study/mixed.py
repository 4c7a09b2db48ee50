"""Original against mixed initialisation: a task's vector on the init it was tuned from, and on the others.

The vector is the unit.  Its scores on foreign inits are averaged first, then paired with its score at home.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.prompting.study.runs import of_main_metric
from taskspace.prompting.study.statistics import bonferroni, holm, paired, two_way_interval, welch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from taskspace.prompting.study.rows import Row
    from taskspace.prompting.study.runs import Run
    from taskspace.prompting.study.statistics import Comparison


@dataclass(frozen=True)
class Vector:
    """One task's vector from one init: its score at home, and on each foreign init (seeds averaged)."""

    task: str
    init: int
    original: float
    foreign: dict[int, float]

    @property
    def mixed(self) -> float:
        """The mean score over foreign inits."""
        return float(np.mean(list(self.foreign.values())))

    @property
    def change(self) -> float:
        """Mixed minus original."""
        return self.mixed - self.original


def vectors(runs: Iterable[Run]) -> list[Vector]:
    """Every vector that was scored on the test split at home and abroad, tasks in the order of the runs."""
    home: dict[tuple[str, int], list[float]] = defaultdict(list)
    abroad: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in of_main_metric(runs):
        if run.split != "test" or run.method != "tuned":
            continue
        if run.part == "sources":
            home[run.task, run.init].append(run.score)
        elif run.part == "mixed" and run.foreign not in (None, run.init):
            abroad[run.task, run.init][run.foreign].append(run.score)
    order = list(dict.fromkeys(task for task, _ in home))
    found = [
        Vector(task, init, float(np.mean(home[task, init])), {to: float(np.mean(s)) for to, s in sorted(cells.items())})
        for (task, init), cells in abroad.items()
        if (task, init) in home
    ]
    return sorted(found, key=lambda each: (order.index(each.task), each.init))


def by_task(found: Sequence[Vector]) -> dict[str, list[Vector]]:
    """The vectors of each task."""
    return {task: [each for each in found if each.task == task] for task in dict.fromkeys(v.task for v in found)}


def compare_by_vector(found: Sequence[Vector]) -> Comparison:
    """Mixed minus original, paired by vector; n is the number of vectors."""
    return paired([each.mixed for each in found], [each.original for each in found])


def mixed_table(runs: Iterable[Run]) -> list[Row]:
    """A row per task: both means, the paired test by vector, Welch's beside it, and a two-way bootstrap interval.

    Welch's test takes the vectors' mixed means as if they were other vectors than the original ones: with pairs it
    is the weaker.  ``boot_low`` to ``boot_high`` draws vectors and inits anew.  Holm and Bonferroni go over tasks.
    """
    runs = of_main_metric(runs)
    groups, metric, starts = by_task(vectors(runs)), {run.task: run.metric for run in runs}, untrained(runs)
    tests = {task: compare_by_vector(own) for task, own in groups.items()}
    loose = {task: welch([v.mixed for v in own], [v.original for v in own]) for task, own in groups.items()}
    ps, loose_ps = [test.p for test in tests.values()], [test.p for test in loose.values()]
    adjusted = zip(holm(ps), bonferroni(ps), holm(loose_ps), strict=True)
    return [
        _row(task, own, metric[task], starts.get(task), tests[task], loose[task], each)
        for (task, own), each in zip(groups.items(), adjusted, strict=True)
    ]


def untrained(runs: Iterable[Run]) -> dict[str, float]:
    """Per task the mean test score of its inits as they are (method "start"): what any prompt must beat."""
    scores: dict[str, list[float]] = defaultdict(list)
    for run in of_main_metric(runs):
        if run.part == "sources" and run.method == "start" and run.split == "test":
            scores[run.task].append(run.score)
    return {task: float(np.mean(own)) for task, own in scores.items()}


def learned(runs: Iterable[Run], margin: float) -> set[str]:
    """Tasks whose tuned prompts beat their untrained inits by more than ``margin`` on test; all where none was scored.

    A vector that does nothing does so on every init: such a task can show neither that vectors move nor that they do
    not.
    """
    runs = of_main_metric(runs)
    starts, tuned = untrained(runs), defaultdict[str, list[float]](list)
    for run in runs:
        if run.part == "sources" and run.method == "tuned" and run.split == "test":
            tuned[run.task].append(run.score)
    return {task for task, own in tuned.items() if task not in starts or float(np.mean(own)) - starts[task] > margin}


def _row(
    task: str, own: list[Vector], metric: str, start: float | None, test: Comparison, loose: Comparison,
    adjusted: tuple[float | None, float | None, float | None],
) -> Row:  # fmt: skip
    original = np.array([each.original for each in own])
    mixed = np.array([each.mixed for each in own])
    low, high = two_way_interval(_cells(own)) or (None, None)
    return {
        "task": task,
        "metric": metric,
        "untrained": start,
        "original": float(original.mean()),
        "original_sd": _sd(original),
        "mixed": float(mixed.mean()),
        "mixed_sd": _sd(mixed),
        "vectors": len(own),
        "cells": sum(len(each.foreign) for each in own),
        "difference": test.difference,
        "low": test.low,
        "high": test.high,
        "boot_low": low,
        "boot_high": high,
        "g": test.g,
        "p": test.p,
        "p_holm": adjusted[0],
        "p_bonferroni": adjusted[1],
        "welch_p": loose.p,
        "welch_p_holm": adjusted[2],
        "note": test.note,
    }


def _cells(own: Sequence[Vector]) -> NDArray[np.float64]:
    """Mixed minus original, float64[vectors, inits]; nan where a vector was not put on an init."""
    inits = sorted({init for each in own for init in each.foreign})
    return np.array([[each.foreign.get(init, np.nan) - each.original for init in inits] for each in own])


def _sd(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
