"""What a ground truth of transfers measures, and under which settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from taskspace.errors import SettingError
from taskspace.tuning.fine_tuning import FineTuning

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_TRANSFER = "none"
"""The source of a run that starts from the plain surrogate."""


@dataclass(frozen=True, order=True)
class Cell:
    """One run: fine-tune from ``source`` on the rows of ``target`` that ``seed`` draws."""

    source: str
    target: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every source against every target but itself, once per seed, and each target without transfer.

    Each source is fine-tuned once on ``source_rows`` rows, as the one checkpoint that a user would have; the seeds
    draw the ``shots`` rows of a target, its head and its order of rows.  ``metric`` counts where it fits the labels of
    a target; else classes are scored by accuracy and numbers by Spearman's correlation.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    shots: int = 128
    source_rows: int = 1000
    test_rows: int = 400
    metric: str = "accuracy"
    on_source: FineTuning = field(default_factory=lambda: FineTuning(epochs=2, rate=2e-4, head_rate=2e-3))
    on_target: FineTuning = field(default_factory=lambda: FineTuning(epochs=4, rate=3e-4, head_rate=3e-3))

    def __post_init__(self) -> None:
        if not self.sources or not self.targets or not self.seeds:
            raise SettingError("a ground truth needs sources, targets and seeds; name at least one of each")
        if NO_TRANSFER in (*self.sources, *self.targets):
            raise SettingError(f"{NO_TRANSFER!r} stands for not transferring and cannot name a task; rename it")
        for what in ("sources", "targets", "seeds"):
            named = getattr(self, what)
            twice = next((name for at, name in enumerate(named) if name in named[:at]), None)
            if twice is not None:
                raise SettingError(f"{twice!r} stands twice among the {what}; give each its own name, once")
        if min(self.seeds) < 0:
            raise SettingError(f"seed {min(self.seeds)} is below 0; give whole numbers from 0")
        for name in ("shots", "source_rows", "test_rows"):
            if getattr(self, name) < 2:
                raise SettingError(f"{name}={getattr(self, name)} is too few; give at least 2")

    def settings(self, model: str) -> dict[str, Any]:
        """What must be equal for two runs to be compared; sources, targets and seeds may be added later."""
        about = asdict(self)
        return {"model": model, **{key: about[key] for key in about if key not in ("sources", "targets", "seeds")}}

    def cells(self) -> Iterator[Cell]:
        """All runs, one whole seed after the other, all runs from one source together."""
        for seed in self.seeds:
            for source in (NO_TRANSFER, *self.sources):
                yield from (Cell(source, target, seed) for target in self.targets if target != source)

    def share(self, part: int, parts: int) -> list[Cell]:
        """The runs of the part-th of ``parts`` processes, from 0: all runs from some of the sources."""
        if not 0 <= part < parts:
            raise SettingError(f"there is no part {part} of {parts}; count from 0 to {parts - 1}")
        mine = (NO_TRANSFER, *self.sources)[part::parts]
        return [cell for cell in self.cells() if cell.source in mine]
