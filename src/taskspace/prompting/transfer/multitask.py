"""MPT's first stage: one prompt for all source tasks, taught by the prompts that were tuned on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import PromptError
from taskspace.prompting.bank import require_fitting
from taskspace.prompting.transfer._sources import MultitaskPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.prompting.soft import SoftPrompt
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.recipe import Recipe
    from taskspace.tuning.training import Job


def multitask_prompt(
    backbone: Backbone,
    teachers: Sequence[SoftPrompt],
    jobs: Sequence[Job],
    recipe: Recipe,
    *,
    init: SoftPrompt | None = None,
    weight: float = 0.9,
    progress: bool = False,
) -> MultitaskPrompt:
    """P* and a rank-one factor per source task, by task loss plus ``weight`` times distillation (Wang et al. 2023).

    ``jobs[t]`` is the task that ``teachers[t]`` was tuned on.  ``init`` is where P* starts; the teachers' mean init
    where none is given.
    """
    from taskspace.tuning.backbones._backbone import Tuned
    from taskspace.tuning.bank import Bank
    from taskspace.tuning.distillation import Distillation
    from taskspace.tuning.parts import Factored, Prompts
    from taskspace.tuning.training import train

    if len(teachers) != len(jobs) or not teachers:
        raise PromptError(f"{len(teachers)} teachers for {len(jobs)} tasks; give the tuned prompt of each task")
    require_fitting([*teachers, *([] if init is None else [init])], backbone)
    tuned = np.stack([teacher.tokens for teacher in teachers])
    start = init.tokens if init is not None else _mean_init(teachers)
    part = Factored.start(backbone, len(jobs), prompt=start, seed=recipe.seed)
    guide = Distillation(backbone, Tuned(Prompts(backbone, tuned)), weight)
    train(Bank(backbone, part, guide=guide), jobs, recipe, progress=progress)
    states = [part.state(row) for row in range(len(jobs))]
    tasks = tuple(task for teacher in teachers for task in teacher.tasks)
    u, v = (np.stack([state[name] for state in states]) for name in ("u", "v"))
    return MultitaskPrompt(states[0]["prompt"], u, v, tasks)


def _mean_init(teachers: Sequence[SoftPrompt]) -> NDArray[np.float32]:
    inits = [teacher.tokens if teacher.init is None else teacher.init for teacher in teachers]
    return np.stack(inits).mean(axis=0).astype(np.float32)
