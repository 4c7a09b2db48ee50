"""The rows that a user would have of each task: those the ground truth was measured with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

from taskspace.bench.transfer.reading import read_splits
from taskspace.bench.transfer.rows import source_rows
from taskspace.errors import DataError, did_you_mean
from taskspace.task import Pool, Task, plain_letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from taskspace.tuning.splits import Splits

POOL_SIZE = 2000


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TaskRows:
    """Task folders, read when asked for, with the draws of ``taskspace bench transfer``.

    A source has ``source_rows`` labelled rows, a target the ``target_rows`` of its first few-shot draw, and
    ``test_rows`` of a test split are those that were scored.
    """

    folder: Path
    source_rows: int = 1000
    target_rows: int = 128
    test_rows: int = 400

    @cached_property
    def _read(self) -> dict[str, Splits]:
        return {}

    @cached_property
    def _plain(self) -> dict[str, set[str]]:
        return {}

    def has(self, name: str) -> bool:
        """Whether there is such a task; a source that was distilled from a black box has none."""
        return (self.folder / name).is_dir()

    def source(self, name: str) -> Task:
        """The rows that it was tuned on."""
        return _drawn(self._splits(name), self.source_rows)

    def target(self, name: str) -> Task:
        """The labelled rows of the first draw."""
        return _drawn(self._splits(name), self.target_rows)

    def pool(self, names: Iterable[str]) -> Pool:
        """Texts of the sources ``names`` alone: a space stands before its targets come."""
        return Pool.from_tasks([self.source(name) for name in names], size=POOL_SIZE, seed=0)

    def shared(self, source: str, target: str) -> float:
        """Share of the target's rows, few-shot and test, of which a text stands in the source's rows."""
        mine = self._letters(source)
        rows = [row for part in (self.target(target), self._splits(target).test) for row in _rows(part)]
        return sum(any(plain_letters(text) in mine for text in row) for row in rows) / len(rows)

    def _letters(self, source: str) -> set[str]:
        if source not in self._plain:
            self._plain[source] = {plain_letters(text) for row in _rows(self.source(source)) for text in row}
        return self._plain[source]

    def _splits(self, name: str) -> Splits:
        if name not in self._read:
            if not self.has(name):
                known = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
                raise DataError(
                    f"{self.folder} has no task {name!r}{did_you_mean(name, known) or '; give the folder it lies in'}"
                )
            self._read[name] = read_splits(self.folder / name, name, test_rows=self.test_rows)
        return self._read[name]


def near_duplicates(
    tasks: TaskRows, sources: Sequence[str], targets: Sequence[str], share: float = 0.01
) -> list[tuple[str, str, float]]:
    """Source, target and the share of the target's rows that they have in common, where that is above ``share``."""
    found = [(s, t, tasks.shared(s, t)) for s in sources if tasks.has(s) for t in targets if s != t]
    return sorted((each for each in found if each[2] > share), key=lambda each: (-each[2], *each[:2]))


def _drawn(rows: Splits, most: int) -> Task:
    found = source_rows(rows, most)
    assert isinstance(found, Task)  # noqa: S101  # splits hold tasks
    return found


def _rows(task: Task) -> list[list[str]]:
    inputs = task.inputs
    return [[t for t in row if t is not None] for row in zip(inputs.texts, inputs.pairs, strict=True)]
