"""How far to go along a vector: λ by validation, with the whole grid scored as one bank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import SettingError
from taskspace.prompting.bank import PromptBank
from taskspace.tuning.examples import labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.prompting.bank import Wording
    from taskspace.prompting.soft import PromptVector, SoftPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone

GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(21))
"""0, 0.05, …, 1, as in Task Prompt Vectors; values above 1 and below 0 may be given too."""


@dataclass(frozen=True, eq=False)
class ScaleSearch:
    """What each λ of ``grid`` scored: ``scores`` float64[len(grid), tasks], NaN where a round left it out.

    ``best`` is the smallest λ of the best mean over the tasks, among those scored on the most rows.
    """

    grid: tuple[float, ...]
    scores: NDArray[np.float64]
    best: float
    rows: int


def search_scale(
    backbone: Backbone,
    init: SoftPrompt,
    vector: PromptVector,
    tasks: Sequence[Task],
    *,
    grid: Sequence[float] = GRID,
    first_rows: int = 200,
    metric: str | None = None,
    verbaliser: Wording | None = None,
    max_length: int = 256,
) -> ScaleSearch:
    """λ for ``init + λ · vector``, by the mean score on validation rows of ``tasks``.

    All λ are scored on ``first_rows`` rows of each task, spread evenly over it, in one bank; the better half goes on
    to twice as many, until the rows are used up (successive halving, ours; Task Prompt Vectors scores all on all).
    ``first_rows=0`` scores all on all.
    """
    if not grid or not tasks:
        raise SettingError(f"{len(grid)} scales and {len(tasks)} tasks leave nothing to search; give one at least")
    tasks = [labelled(task) for task in tasks]
    longest = max(len(task) for task in tasks)
    rows = min(first_rows or longest, longest)
    alive = sorted(range(len(grid)), key=lambda place: grid[place])
    while True:
        prompts = [vector.apply(init, grid[place]) for place in alive]
        bank = PromptBank(backbone, prompts, max_length=max_length, verbaliser=verbaliser)
        found = np.column_stack([bank.evaluate(_spread(task, rows), metric=metric) for task in tasks])
        scores = np.full((len(grid), len(tasks)), np.nan)
        scores[alive] = found
        if rows >= longest or len(alive) == 1:
            best = alive[int(np.argmax(found.mean(1)))]
            return ScaleSearch(tuple(grid), scores, grid[best], rows)
        alive = _better_half(alive, found.mean(1))
        rows = min(2 * rows, longest)


def search_scales(
    backbone: Backbone,
    init: SoftPrompt,
    vectors: Sequence[PromptVector],
    tasks: Sequence[Task],
    *,
    grid: Sequence[float] = GRID,
    rounds: int = 2,
    metric: str | None = None,
    verbaliser: Wording | None = None,
    max_length: int = 256,
) -> tuple[float, ...]:
    """A λ for each vector, one after the other with the rest held, ``rounds`` times round (ours); all start at 1."""
    scales = [1.0] * len(vectors)
    for _ in range(rounds):
        before = list(scales)
        for place in range(len(vectors)):
            rest = [scale * vector for i, (scale, vector) in enumerate(zip(scales, vectors, strict=True)) if i != place]
            held = _moved(init, rest)
            found = search_scale(
                backbone, held, vectors[place], tasks, grid=grid, first_rows=0, metric=metric, verbaliser=verbaliser,
                max_length=max_length,
            )  # fmt: skip
            scales[place] = found.best
        if scales == before:
            break
    return tuple(scales)


def _moved(init: SoftPrompt, vectors: Sequence[PromptVector]) -> SoftPrompt:
    for vector in vectors:
        init = vector.apply(init)
    return init


def _spread(task: Task, rows: int) -> Task:
    """``rows`` of them at even distances, so that a task sorted by class is not judged by its first class alone."""
    return task.take(np.arange(rows) * len(task) // rows) if rows < len(task) else task


def _better_half(alive: Sequence[int], means: NDArray[np.float64]) -> list[int]:
    """The better half in their old order; of equal ones the smaller λ."""
    kept = np.argsort(-means, kind="stable")[: (len(alive) + 1) // 2]
    return [alive[place] for place in sorted(kept)]
