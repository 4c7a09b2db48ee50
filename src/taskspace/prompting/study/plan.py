"""What a study of task prompt vectors runs over: tasks, inits, shots, methods and how to tune."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from taskspace.errors import DataError, SettingError
from taskspace.prompting.transfer import GRID, METHODS
from taskspace.tuning.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    parts: tuple[str, ...] = field(default=("sources", "mixed", "pairs", "shots"))

    def __post_init__(self) -> None:
        for target, pair in self.targets.items():
            if unknown := [name for name in pair if name not in self.sources]:
                raise SettingError(f"target {target!r} starts from {unknown[0]!r}, which is not a source; add it there")
        if unknown := sorted(set(self.methods) - set(METHODS)):
            raise SettingError(f"method {unknown[0]!r} is not known; choose among {', '.join(METHODS)}")
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


def require_all(plan: Plan, data: Mapping[str, Splits]) -> None:
    """Raise :class:`DataError` for a task without data or without validation rows."""
    for name in (*plan.sources, *plan.targets):
        if name not in data:
            raise DataError(f"there is no data for task {name!r}; give its training and test rows")
        if data[name].validation is None:
            raise DataError(f"task {name!r} has no validation rows; a study chooses λ and checkpoints on them")


def content(splits: Splits) -> list[str]:
    """SHA-256 of each part, as JSON."""
    return [part.fingerprint for part in (splits.train, splits.validation, splits.test) if part is not None]
