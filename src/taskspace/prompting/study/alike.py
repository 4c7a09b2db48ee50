"""Whether prompts of one task from several inits are more alike than prompts of several tasks.

Only prompts of different inits are compared, within a task and between tasks: two prompts of one init share where
they began, and look alike for that alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.prompting.likeness import MEASURES
from taskspace.prompting.study.statistics import holm, paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.prompting.study.prompts import TunedPrompt
    from taskspace.prompting.study.rows import Row
    from taskspace.prompting.study.statistics import Comparison

Of: TypeAlias = Literal["prompts", "vectors"]

COSINES = {"pooled": "pooled", "flattened": "flat"}
"""The two cosines that go by one name in the study's public code, and what they are in ``likeness.MEASURES``."""

EACH: tuple[tuple[Of, str], ...] = tuple((of, measure) for of in ("prompts", "vectors") for measure in COSINES)


@dataclass(frozen=True, eq=False)
class Cosines:
    """All cosines float64[n, n] of the n prompts (or vectors) of a study, tasks side by side."""

    of: Of
    measure: str
    tasks: tuple[str, ...]
    inits: tuple[int, ...]
    values: NDArray[np.float64]

    @property
    def same_task(self) -> NDArray[np.bool_]:
        """Which pairs are of one task; bool[n, n]."""
        return np.equal.outer(np.array(self.tasks, dtype=object), np.array(self.tasks, dtype=object))

    @property
    def other_init(self) -> NDArray[np.bool_]:
        """Which pairs began from two inits; bool[n, n]."""
        return np.not_equal.outer(np.array(self.inits), np.array(self.inits))


def cosines(prompts: Sequence[TunedPrompt], of: Of = "vectors", measure: str = "pooled") -> Cosines:
    """Every prompt beside every other, in the order given."""
    arrays = [prompt.vector if of == "vectors" else prompt.tokens for prompt in prompts]
    values = np.array([MEASURES[COSINES[measure]](each, arrays) for each in arrays], dtype=np.float64)
    tasks, inits = tuple(each.task for each in prompts), tuple(each.init for each in prompts)
    return Cosines(of, measure, tasks, inits, values.reshape(len(arrays), len(arrays)))


@dataclass(frozen=True, eq=False)
class Likeness:
    """What one map says: means within and between tasks, and how sure it is that the first is larger.

    ``within``, ``between``, ``tasks``: per task with two inits or more, its mean cosine with its own prompts and with
    those of other tasks, at other inits.  ``test`` pairs the two by task (its interval is approximate: two tasks
    share the cosines between them).  ``p`` is the one-sided p of a permutation test, exact in level: within each
    init the prompts change tasks.
    """

    cosines: Cosines
    tasks: tuple[str, ...]
    within: tuple[float, ...]
    between: tuple[float, ...]
    same_init: float | None
    test: Comparison
    p: float | None


def likeness(found: Cosines, *, draws: int = 4999, seed: int = 0) -> Likeness:
    """Compare the cosines within tasks with those between tasks."""
    inside, outside = found.same_task & found.other_init, ~found.same_task & found.other_init
    rows = [np.array([name == task for name in found.tasks]) for task in dict.fromkeys(found.tasks)]
    rows = [own for own in rows if inside[own].any() and outside[own].any()]
    within = tuple(float(found.values[own][inside[own]].mean()) for own in rows)
    between = tuple(float(found.values[own][outside[own]].mean()) for own in rows)
    tasks = tuple(found.tasks[int(own.argmax())] for own in rows)
    shared = found.values[~found.same_task & ~found.other_init]
    p = _permuted(found, draws, seed) if tasks else None
    return Likeness(
        found, tasks, within, between, float(shared.mean()) if shared.size else None, paired(within, between), p
    )


def alike_table(prompts: Sequence[TunedPrompt]) -> list[Row]:
    """One row per map (prompts and vectors, pooled and flattened); Holm over the maps.  No prompts, no rows."""
    found = [likeness(cosines(prompts, of, measure)) for of, measure in EACH] if prompts else []
    return [
        {
            "of": each.cosines.of,
            "measure": each.cosines.measure,
            "prompts": len(each.cosines.tasks),
            "within_task": _mean(each.within),
            "between_tasks": _mean(each.between),
            "between_tasks_same_init": each.same_init,
            "tasks": len(each.tasks),
            "difference": each.test.difference,
            "low": each.test.low,
            "high": each.test.high,
            "p": each.p,
            "p_holm": adjusted,
            "note": each.test.note,
        }
        for each, adjusted in zip(found, holm([each.p for each in found]), strict=True)
    ]


def alike_by_task(prompts: Sequence[TunedPrompt]) -> list[Row]:
    """Per map and task: mean cosine with its own prompts, with other tasks', and the difference."""
    found = [likeness(cosines(prompts, of, measure), draws=0) for of, measure in EACH]
    return [
        {"of": each.cosines.of, "measure": each.cosines.measure, "task": task, "within_task": own,
         "between_tasks": other, "difference": own - other}
        for each in found
        for task, own, other in zip(each.tasks, each.within, each.between, strict=True)
    ]  # fmt: skip


def cosine_table(prompts: Sequence[TunedPrompt]) -> list[Row]:
    """Every cosine above the diagonal, a row per pair with a column per map."""
    found = {f"{of}_{measure}": cosines(prompts, of, measure).values for of, measure in EACH}
    return [
        {"task_a": prompts[i].task, "init_a": prompts[i].init, "task_b": prompts[j].task, "init_b": prompts[j].init,
         **{name: float(values[i, j]) for name, values in found.items()}}
        for i in range(len(prompts))
        for j in range(i + 1, len(prompts))
    ]  # fmt: skip


def _permuted(found: Cosines, draws: int, seed: int) -> float:
    """Share of relabellings whose excess within tasks is at least the observed one (itself among them)."""
    rng = np.random.default_rng(seed)
    labels, inits = np.unique(np.array(found.tasks), return_inverse=True)[1], np.array(found.inits)
    pairs = np.argwhere(np.triu(found.other_init))
    values = found.values[pairs[:, 0], pairs[:, 1]]
    observed = _excess(labels[None], pairs, values)[0]
    reached = 1
    for start in range(0, draws, _CHUNK):
        drawn = np.tile(labels, (min(_CHUNK, draws - start), 1))
        for init in np.unique(inits):
            drawn[:, inits == init] = rng.permuted(drawn[:, inits == init], axis=1)
        reached += int((_excess(drawn, pairs, values) >= observed - 1e-12).sum())
    return reached / (draws + 1)


def _excess(labels: NDArray[np.intp], pairs: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the pairs within tasks minus mean of those between, float64[draws]; -inf where there are none within."""
    same = (labels[:, pairs[:, 0]] == labels[:, pairs[:, 1]]).astype(np.float64)
    count, total = same.sum(axis=1), same @ values
    mixed = (count > 0) & (count < len(values))
    between = (values.sum() - total) / np.where(mixed, len(values) - count, 1)
    return np.where(mixed, total / np.where(mixed, count, 1) - between, -np.inf)


_CHUNK = 500
"""Relabellings at once: enough to be quick, few enough to fit for a hundred prompts."""


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
