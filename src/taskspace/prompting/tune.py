"""Tune soft prompts: many tasks, each from several inits, in the same batches on one frozen model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

from taskspace.errors import SettingError
from taskspace.prompting._work import Plan, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskspace.prompting._work import Wanted
    from taskspace.prompting.bank import Wording
    from taskspace.prompting.begin import Init
    from taskspace.prompting.soft import SoftPrompt
    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.recipe import Recipe
    from taskspace.tuning.splits import Overlap

Held: TypeAlias = "Task | float | Literal['within'] | None"

T = TypeVar("T")

WITHIN = 0.2
"""Share of the training rows that is held out by "within"."""


def tune_prompts(
    tasks: Sequence[Task],
    *,
    model: str | Path | Backbone,
    inits: int = 1,
    init: Init = "vocabulary",
    length: int | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    shots: int | None = None,
    validation: Held | Sequence[Held] = None,
    test: Task | Sequence[Task | None] | None = None,
    overlap: Overlap = "refuse",
    verbaliser: Wording | None = None,
    folder: str | Path | None = None,
    force: bool = False,
    progress: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> tuple[SoftPrompt, ...]:
    """A prompt for each task from each of ``inits`` starts, task by task; all are tuned in one bank.

    ``model`` is a Hub id, a folder or a loaded backbone, ``options`` go to
    :func:`~taskspace.tuning.backbones.load_backbone`.  ``init`` and ``length`` as :func:`~taskspace.prompting.begin`
    has them; start i, the order of its rows and whatever is drawn for it have the seed ``seed + i``.  The ``recipe``
    is :func:`usual_recipe` unless given; ``shots`` rows of each task are drawn to learn from, all unless said.

    ``validation`` chooses each prompt's checkpoint: a task, a share of the rows to learn from, "within" for a fifth
    of them, or one of these for each task; without any, the last state is kept.  ``test`` is only scored.  A prompt's
    scores are in its ``provenance["metrics"]``.  No two parts may share a row: with ``overlap="drop"`` the later
    part keeps it.

    With ``folder`` each finished prompt is saved there under its name, and until then the state of the tuning: run
    again after a kill it goes on, and ends with the same numbers.  Prompts that are finished are read and not tuned
    again unless forced.  ``tell`` hears what is at work.

    Raises :class:`DataError` for tasks without labels and for parts that share rows, :class:`SettingError` for too
    few rows and other settings that cannot be met, :class:`PromptError` for an init of another backbone, and for a
    folder that holds other prompts.
    """
    from taskspace.tuning.backbones import load_backbone

    backbone = load_backbone(model, **options) if isinstance(model, str | Path) else model
    plan = Plan(backbone, init, length, recipe or usual_recipe(backbone), shots, overlap, verbaliser)
    held: list[Held] = _each(validation, tasks, "validation")
    tests: list[Task | None] = _each(test, tasks, "test")
    _require_sense(tasks, inits, backbone)
    _require_known(held)
    wanted = [
        plan.wanted(
            task, WITHIN if part == "within" else part, rest, seed + i,
            name=task.name if inits == 1 else f"{task.name}.{seed + i}",
        )
        for task, part, rest in zip(tasks, held, tests, strict=True)
        for i in range(inits)
    ]  # fmt: skip
    _require_other_starts(wanted, inits)
    work = Work(plan, wanted, None if folder is None else Path(folder), force, progress, tell)
    return work.scored(work.tuned())


def usual_recipe(backbone: Backbone, **changes: Any) -> Recipe:
    """:class:`~taskspace.tuning.recipe.Recipe` with the rate that suits the backbone, and ``changes``.

    0.3 is for the large embeddings of T5 (Lester et al. 2021); those of others are smaller a hundred times and more,
    and get 0.01 (ours).  A tenth of the steps warm up, 50 at most, and every tenth is checked.
    """
    from taskspace.tuning.recipe import Recipe

    tenth = min(50, changes.get("steps", Recipe.steps) // 10)
    usual = {"rate": 0.3 if backbone.kind == "encoder-decoder" else 0.01, "warmup": tenth, "check": max(1, tenth)}
    return Recipe.from_dict(usual | changes)


def _each(given: T | Sequence[T], tasks: Sequence[Task], what: str) -> list[T]:
    """One for each task."""
    if not isinstance(given, list | tuple):
        if len(tasks) > 1 and hasattr(given, "texts"):
            raise SettingError(f"one {what} split was given for {len(tasks)} tasks; give one for each")
        return [cast("T", given)] * len(tasks)
    if len(given) != len(tasks):
        raise SettingError(f"{len(given)} {what} splits were given for {len(tasks)} tasks; give one for each")
    return list(given)


def _require_known(held: Sequence[Held]) -> None:
    other = next((part for part in held if isinstance(part, str) and part != "within"), None)
    if other is not None:
        raise SettingError(f"validation={other!r} is not known; give a task, a share of the rows, or 'within'")


def _require_sense(tasks: Sequence[Task], inits: int, backbone: Backbone) -> None:
    if not tasks or inits < 1:
        raise SettingError(f"{len(tasks)} tasks from {inits} inits are nothing to tune; give one of each at least")
    name, count = Counter(task.name for task in tasks).most_common(1)[0]
    if count > 1:
        raise SettingError(f"{count} tasks are called {name!r}; give each a name of its own")
    for task in tasks:
        if backbone.kind == "encoder" and task.kind not in ("classes", None):
            raise SettingError(
                f"task {task.name!r} has {task.kind}, which a prompt on an encoder cannot answer; take a model that "
                "writes, or a task of classes"
            )


def _require_other_starts(wanted: Sequence[Wanted], inits: int) -> None:
    starts = {each.start.fingerprint for each in wanted[:inits]}
    if len(starts) < inits:
        raise SettingError(f"the {inits} inits are all the same prompt; say 1, or an init that is drawn by chance")
