"""What a study of task prompt vectors runs over: tasks, inits, shots, methods and how to tune."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from taskspace.errors import DataError, SettingError
from taskspace.prompting.study.runs import PARTS
from taskspace.prompting.transfer import GRID, METHODS
from taskspace.prompting.transfer.carriers import PLACES
from taskspace.tuning.recipe import Recipe
from taskspace.tuning.splits import k_shot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.task import Task
    from taskspace.tuning.splits import Splits

SOURCES = Recipe(steps=300, batch=16, rate=0.01, warmup=30, check=50, max_length=64)
FEW_SHOT = Recipe(steps=100, batch=16, rate=0.01, warmup=10, check=100, max_length=64)


@dataclass(frozen=True)
class Plan:
    """The arguments of a study; what it costs grows with each of them.

    ``sources`` are task names; ``targets`` maps a target task to the two source tasks whose vectors start it.
    ``inits`` prompts of ``length`` vocabulary tokens are drawn, and every source is tuned from each.  Sums search
    λ over ``grid``.  ``shots`` are training examples in total, drawn anew per init; 0 evaluates the start.
    ``batches`` are (shots, batch): up to so many shots a few-shot step takes so many examples, beyond the last as
    many as ``few_shot`` says (2, 8 and 16 in the paper).
    """

    sources: tuple[str, ...]
    targets: Mapping[str, tuple[str, str]]
    inits: int = 3
    shots: tuple[int, ...] = (0, 10, 50, 100, 500)
    methods: tuple[str, ...] = METHODS
    length: int = 16
    grid: tuple[float, ...] = GRID
    recipe: Recipe = SOURCES
    few_shot: Recipe = FEW_SHOT
    batches: tuple[tuple[int, int], ...] = ((25, 2), (250, 8))
    seed: int = 0
    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        for target, pair in self.targets.items():
            if unknown := [name for name in pair if name not in self.sources]:
                raise SettingError(f"target {target!r} starts from {unknown[0]!r}, which is not a source; add it there")
            if len(set(pair)) < len(pair):
                raise SettingError(f"target {target!r} starts from {pair[0]!r} twice; name two different sources")
            if target in self.sources:
                raise SettingError(f"{target!r} is a source and a target, so its rows were seen; name another target")
        if unknown := sorted(set(self.methods) - set(METHODS)):
            raise SettingError(f"method {unknown[0]!r} is not known; choose among {', '.join(METHODS)}")
        if unknown := sorted(set(self.parts) - set(PARTS)):
            raise SettingError(f"part {unknown[0]!r} is not known; choose among {', '.join(PARTS)}")
        if twice := [name for name in self.sources if self.sources.count(name) > 1]:
            raise SettingError(f"source {twice[0]!r} is named twice; name each task once")
        if self.shots and min(self.shots) < 0:
            raise SettingError(f"shots={min(self.shots)} is below 0; give 0 for the start as it is, or more")
        if "pairs" in self.parts and not self.grid:
            raise SettingError("the grid of λ is empty, so no sum can be made; give one at least, or leave 'pairs' out")
        if self.inits < 1 or self.length < 1:
            raise SettingError(f"inits={self.inits} and length={self.length} must both be at least 1; give more")
        if "mixed" in self.parts and self.inits < 2:
            raise SettingError("one init leaves none to move a vector to; give at least 2, or leave 'mixed' out")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def batch(self, shots: int) -> int:
        """Examples of one few-shot step."""
        return next((batch for most, batch in self.batches if shots <= most), self.few_shot.batch)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every two sources, in order."""
        return [(one, other) for i, one in enumerate(self.sources) for other in self.sources[i + 1 :]]

    def settings(self, backbone: Mapping[str, Any]) -> dict[str, Any]:
        """Everything but the data that decides a run's score, and not which runs are asked for."""
        return {
            "length": self.length, "recipe": self.recipe.to_dict(), "few_shot": self.few_shot.to_dict(),
            "batches": [list(each) for each in self.batches], "seed": self.seed, "backbone": dict(backbone),
        }  # fmt: skip

    @property
    def starts(self) -> dict[str, list[str]]:
        """The sources that each target starts from, and those of the methods that learn from all of them.

        A run does not say them, so they must stay the same as long as a folder grows.
        """
        everything = {method: list(self.sources) for method in _OF_ALL if method in self.methods and self.targets}
        return {target: list(pair) for target, pair in self.targets.items()} | everything


_OF_ALL = ("attempt", "mpt")
"""Methods that learn from all sources of a study, not from a target's two."""


def require_all(plan: Plan, data: Mapping[str, Splits]) -> None:
    """Refuse at once what would stop a study after hours.

    Raises :class:`DataError` for a task without data or without validation rows, :class:`SettingError` for shots that
    a target cannot give, and for a method that its labels or the length of its texts rule out.
    """
    for name in (*plan.sources, *plan.targets):
        if name not in data:
            raise DataError(f"there is no data for task {name!r}; give its training and test rows")
        if data[name].validation is None:
            raise DataError(f"task {name!r} has no validation rows; a study chooses λ and checkpoints on them")
    if "shots" in plan.parts:
        for target in plan.targets:
            _require_shots(plan, data[target].train)
        if "dept" in plan.methods and plan.few_shot.max_length > PLACES:
            raise SettingError(
                f"method 'dept' reaches {PLACES} tokens of a text, and max_length={plan.few_shot.max_length}; read"
                " fewer, or leave it out"
            )


def _require_shots(plan: Plan, task: Task) -> None:
    for shots in sorted(set(plan.shots) - {0}):
        k_shot(task, shots, seed=plan.seed)
    if "ptuning2" in plan.methods and task.kind != "classes":
        raise SettingError(
            f"method 'ptuning2' tunes a head for classes, and task {task.name!r} has {task.kind}; leave one of them out"
        )


def content(splits: Splits) -> list[str]:
    """SHA-256 of each part, as JSON."""
    return [part.fingerprint for part in (splits.train, splits.validation, splits.test) if part is not None]
