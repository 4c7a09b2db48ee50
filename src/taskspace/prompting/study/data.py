"""The tasks of a study: task folders as splits that share no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.errors import DataError, did_you_mean
from taskspace.task import Task
from taskspace.tuning.splits import Splits, split

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def study_data(
    folder: Path, names: Iterable[str], *, validation: int = 100, test: int = 200, seed: int = 0
) -> dict[str, Splits]:
    """Read ``folder/NAME`` for each name: a task folder with a ``train`` and a ``test`` split.

    ``validation`` rows are drawn from the training split and ``test`` rows from the test split, both stratified.
    Training rows that also stand in the test split are dropped.  Raises :class:`DataError` for a task that is not
    there, naming the nearest.
    """
    return {name: _splits(folder, name, validation, test, seed) for name in dict.fromkeys(names)}


def _splits(folder: Path, name: str, validation: int, test: int, seed: int) -> Splits:
    if not (folder / name).is_dir():
        known = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        raise DataError(
            f"{folder} has no task {name!r}{did_you_mean(name, known) or '; give a folder of task folders'}"
        )
    held = Task.from_file(folder / name, split="test", limit=test, seed=seed, name=name)
    train = Task.from_file(folder / name, split="train", name=name)
    return split(train, held, seed=seed, validation="train", rows=validation, overlap="drop")
