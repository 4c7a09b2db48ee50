"""From 0 to k examples: what each start makes of a target task, against a random init and the best single source.

Runs of one init share that init, so they are averaged first: the inits are the units that are paired (the seeds,
in a study of one init).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.prompting.study.looks import ordered
from taskspace.prompting.study.runs import of_main_metric
from taskspace.prompting.study.statistics import paired_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from taskspace.prompting.study.runs import Run
    from taskspace.prompting.study.statistics import Comparison

Units: TypeAlias = "dict[int, list[float]]"
REFERENCES = ("random", "single")


@dataclass(frozen=True)
class Cell:
    """All test scores of one start at one number of shots: ``scores`` by init and seed.

    ``source`` is the source task of a single-source start.
    """

    task: str
    shots: int
    method: str
    source: str | None
    scores: Mapping[tuple[int, int], float]

    @property
    def values(self) -> list[float]:
        """The raw scores, one per run."""
        return list(self.scores.values())

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))


@dataclass(frozen=True)
class Single:
    """The best single source of a target at one number of shots, and the split that chose it."""

    cell: Cell
    chosen_on: str


def cells(runs: Iterable[Run], split: str = "test") -> list[Cell]:
    """Every cell of the few-shot part on one split, by target, shots, and method."""
    runs = [run for run in of_main_metric(runs) if run.part == "shots" and run.split == split]
    found: dict[tuple[str, int, str, str | None], dict[tuple[int, int], float]] = defaultdict(dict)
    for run in runs:
        source = run.other if run.method == "single" else None
        found[run.task, run.shots or 0, run.method, source][run.init, run.seed] = run.score
    tasks, methods = list(dict.fromkeys(run.task for run in runs)), ordered(run.method for run in runs)
    return sorted(
        (Cell(*key, scores) for key, scores in found.items()),
        key=lambda each: (tasks.index(each.task), each.shots, methods.index(each.method), each.source or ""),
    )


def best_single(tested: Sequence[Cell], validated: Sequence[Cell] = ()) -> dict[tuple[str, int], Single]:
    """Per target and shots the single source with the highest mean, chosen on validation where all were validated.

    Else on test, which favours the single source: a sum that beats it has beaten the best of several.
    """
    seen = {(each.task, each.shots, each.source): each.mean for each in validated if each.method == "single"}
    groups: dict[tuple[str, int], list[Cell]] = defaultdict(list)
    for each in tested:
        if each.method == "single":
            groups[each.task, each.shots].append(each)
    best: dict[tuple[str, int], Single] = {}
    for key, own in groups.items():
        known = [seen.get((each.task, each.shots, each.source)) for each in own]
        means = [mean for mean in known if mean is not None]
        if len(means) == len(own):
            best[key] = Single(own[int(np.argmax(means))], "validation")
        else:
            best[key] = Single(max(own, key=lambda each: each.mean), "test")
    return best


def by_unit(first: Cell, second: Cell) -> tuple[Units, Units]:
    """Both cells' scores by init (by seed, where all runs have one init), only runs that both have."""
    common = [key for key in first.scores if key in second.scores]
    axis = 0 if len({init for init, _ in common}) > 1 else 1
    sides: tuple[Units, Units] = ({}, {})
    for cell, side in zip((first, second), sides, strict=True):
        for key in common:
            side.setdefault(key[axis], []).append(cell.scores[key])
    return sides


def gains(first: Cell, second: Cell) -> dict[int, float]:
    """First minus second by unit, each the mean over its runs."""
    a, b = by_unit(first, second)
    return {unit: float(np.mean(a[unit]) - np.mean(b[unit])) for unit in a}


def compare(first: Cell, second: Cell) -> Comparison:
    """First minus second, paired by unit."""
    return paired_by(*by_unit(first, second))
