"""The tasks of a study, read from their folders when they are asked for, and the pool that is drawn beside them."""

from __future__ import annotations

import json
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.data.files import existing
from taskspace.data.lines import text_lines
from taskspace.errors import DataError
from taskspace.labels import Classes
from taskspace.task import Pool, Task, plain_letters
from taskspace.tuning.examples import labelled
from taskspace.tuning.splits import k_shot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@final
class TaskFolders:
    """Task folders side by side, each with a train split; nothing here looks at test rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = existing(folder)
        self._read: dict[str, Task] = {}
        self._rest: dict[tuple[str, int], Task] = {}
        self._letters: dict[str, set[str]] = {}

    def train(self, name: str) -> Task:
        """All labelled train rows of a task; raises :class:`DataError` where they are no classes."""
        if name not in self._read:
            task = Task.from_file(self._folder / name, name=name)
            if not isinstance(task.stated_labels, Classes):
                raise DataError(f"task {name!r} has {task.kind}, and this study ranks classifiers; leave it out")
            self._read[name] = labelled(task)
        return self._read[name]

    def rows(self, name: str, count: int) -> Task:
        """``count`` rows of a task, or all it has; a smaller draw is part of a larger one."""
        return _few(self.train(name), count)

    def others(self, name: str, than: int, count: int | None = None) -> Task:
        """Rows of a task that :meth:`rows` of ``than`` does not give, at most ``count``."""
        if (name, than) not in self._rest:
            self._rest[name, than] = self._without(name, than)
        rest = self._rest[name, than]
        return rest if count is None else _few(rest, count)

    def _without(self, name: str, than: int) -> Task:
        task, taken = self.train(name), set(self.rows(name, than).inputs.digests)
        rest = [row for row, digest in enumerate(task.inputs.digests) if digest not in taken]
        if len(rest) < 2:
            raise DataError(f"task {name!r} has only {len(task)} rows; it needs more than the {than} that are embedded")
        return task.take(rest)

    def pairs(self, name: str) -> bool:
        """Whether its rows have two texts."""
        return bool(self.train(name).inputs.is_pair.any())

    def family(self, name: str) -> str:
        """What ``task.json`` says; empty where it says nothing."""
        card = self._folder / name / "task.json"
        if not card.is_file():
            return ""
        fields: Any = json.loads(card.read_text(encoding="utf-8"))
        return str(fields.get("family") or "") if isinstance(fields, dict) else ""

    def letters(self, names: Iterable[str]) -> set[str]:
        """All texts of these tasks, case, spaces and punctuation aside."""
        return set[str]().union(*map(self._letters_of, names))

    def _letters_of(self, name: str) -> set[str]:
        if name not in self._letters:
            inputs = self.train(name).inputs
            self._letters[name] = {plain_letters(text) for text in (*inputs.texts, *inputs.pairs) if text is not None}
        return self._letters[name]


@final
class Corpus:
    """Unlabelled texts in a file of JSON lines, each with the ``source`` it comes from where the file says so."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = existing(path)
        self._seed = seed

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Where each distinct text comes from, texts in the seed's order."""
        found: dict[str, str] = {}
        for number, line in text_lines(self._path):
            try:
                row = json.loads(line)
                found.setdefault(str(row["text"]), str(row.get("source") or ""))
            except (ValueError, TypeError, KeyError) as error:
                raise DataError(f'{self._path}, line {number} is not {{"text": …}} ({error}); mend it') from error
        texts = sorted(found)
        order = np.random.default_rng(self._seed).permutation(len(texts)).tolist()
        return {texts[i]: found[texts[i]] for i in order}

    def draw(self, size: int, without: set[str], *, place: str | None = None) -> list[str]:
        """The first ``size`` texts, of one ``place`` where it is said, whose letters are not among ``without``."""
        rows = zip(self.places.items(), self._letters, strict=True)
        fitting = (t for (t, where), letters in rows if place in (None, where) and letters not in without)
        return list(islice(fitting, size))

    @cached_property
    def _letters(self) -> tuple[str, ...]:
        return tuple(map(plain_letters, self.places))


def study_pool(
    tasks: TaskFolders, corpus: Corpus, size: int, pair_share: float, *, sources: Sequence[str], names: Sequence[str],
    fitted_rows: int, seed: int,
) -> Pool:  # fmt: skip
    """Texts of the corpus that no task has, and pairs of sources from rows that no model was tuned on.

    Pairs are those of the sources that read pairs, in equal parts, labels dropped; none of them stands in a target.
    """
    reading = [name for name in sources if tasks.pairs(name)]
    theirs = tasks.letters([name for name in names if name not in sources])
    spare = [_apart(tasks.others(name, fitted_rows), theirs) for name in reading]
    pairs = Pool.from_tasks(spare, size=round(size * pair_share), seed=seed).inputs if spare else None
    texts = corpus.draw(size - (len(pairs) if pairs else 0), tasks.letters(names))
    if not pairs:
        return Pool(texts)
    return Pool([*texts, *pairs.texts], [*(None for _ in texts), *pairs.pairs])


def _few(task: Task, count: int) -> Task:
    """As :func:`k_shot` draws them, at least one of each class; all where there are no more."""
    count = max(count, len(task.label_names))
    return task if len(set(task.inputs.digests)) <= count else k_shot(task, count, seed=0)


def _apart(task: Task, letters: set[str]) -> Task:
    rows = zip(task.inputs.texts, task.inputs.pairs, strict=True)
    kept = [i for i, row in enumerate(rows) if not any(t is not None and plain_letters(t) in letters for t in row)]
    return task.take(kept)
