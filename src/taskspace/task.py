"""Task and Pool: labelled and unlabelled texts as values with a fingerprint of their content."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from taskspace.errors import DataError
from taskspace.labels import Classes, LabelKind, Labels, Numbers, RawLabel, Targets, parse_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Inputs:
    """Texts row by row; ``pairs[i]`` is the second text of row i, or ``None`` for a single text."""

    texts: tuple[str, ...]
    pairs: tuple[str | None, ...]

    @classmethod
    def of(cls, texts: Sequence[str], pairs: Sequence[str | None] | None = None) -> Inputs:
        """Check the columns; an empty second text counts as none."""
        if pairs is not None and len(pairs) != len(texts):
            raise DataError(f"{len(texts)} texts but {len(pairs)} second texts; give one per row")
        for row, text in enumerate(texts):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise DataError(f"row {row} holds {text!r} where a text was expected; mend or drop the row")
        seconds = (None,) * len(texts) if pairs is None else tuple(p or None for p in pairs)
        return cls(tuple(texts), seconds)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def is_pair(self) -> NDArray[np.bool_]:
        """bool[n], True where the row has two texts."""
        return np.array([p is not None for p in self.pairs], dtype=bool)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Inputs:
        return Inputs(tuple(self.texts[i] for i in rows), tuple(self.pairs[i] for i in rows))

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """A 16-byte digest per row."""
        return tuple(_digest(*row) for row in zip(self.texts, self.pairs, strict=True))


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled texts: one text or a pair per row, and for each a class, a number or a target text.

    ``labels`` may be given as plain values (class names, codes, numbers; ``None`` where missing) and
    are read by :func:`taskspace.labels.parse_labels`.  Without labels a task serves learners that
    need none.

    Raises :class:`DataError` when columns differ in length or no row is left.
    """

    texts: Sequence[str]
    labels: Labels | Sequence[RawLabel] | None = None
    text_pairs: Sequence[str | None] | None = None
    name: str = "task"
    kind: LabelKind | None = None
    description: str = ""
    inputs: Inputs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = Inputs.of(self.texts, self.text_pairs)
        if not len(inputs):
            raise DataError(f"task {self.name!r} has no rows; give at least two labelled texts")
        labels = self.labels
        if labels is not None and not isinstance(labels, Classes | Numbers | Targets):
            labels = parse_labels(labels, self.kind)
        if labels is not None and len(labels) != len(inputs):
            raise DataError(f"{len(inputs)} texts but {len(labels)} labels; give one per row")
        settled: dict[str, Any] = {
            "inputs": inputs, "texts": inputs.texts, "text_pairs": inputs.pairs,
            "labels": labels, "kind": _kind_of(labels),
        }  # fmt: skip
        for key, value in settled.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        what = f"{len(self.label_names)} classes" if self.label_names else self.kind or "no labels"
        return f"Task({self.name!r}, {len(self)} rows, {what})"

    @property
    def label_names(self) -> tuple[str, ...]:
        """Class names in code order; empty unless the labels are classes."""
        return self.labels.names if isinstance(self.labels, Classes) else ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the set of (texts, label) rows: format, path, name and row order do not count."""
        return _join_digests("task", sorted(self._row_digests))

    @cached_property
    def _row_digests(self) -> tuple[bytes, ...]:
        labels = self.stated_labels
        keys = [""] * len(self) if labels is None else labels.row_keys()
        return tuple(d + _digest(key, None) for d, key in zip(self.inputs.digests, keys, strict=True))

    @property
    def stated_labels(self) -> Labels | None:
        """The labels as read at construction."""
        labels = self.labels
        return labels if isinstance(labels, Classes | Numbers | Targets) else None

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Task:
        """The task with these rows only, in this order; class names stay."""
        index = np.asarray(rows, dtype=np.int64)
        part = self.inputs.take(index)
        labels = self.stated_labels
        kept = None if labels is None else labels.take(index)
        return Task(part.texts, kept, part.pairs, self.name, description=self.description)

    def canonical(self) -> Task:
        """The same rows in an order that depends on their content alone, so that shuffling changes no byte."""
        order = sorted(range(len(self)), key=self._row_digests.__getitem__)
        return self.take(order)

    def require_learnable(self) -> None:
        """Raise :class:`DataError` unless there is something to tell apart."""
        labels = self.stated_labels
        if labels is None:
            raise DataError(f"task {self.name!r} has no labels; name the label column, or use learner='text'")
        if len(set(self.inputs.digests)) < 2:
            raise DataError(f"all {len(self)} texts of task {self.name!r} are equal; nothing can be learned from it")
        distinct = set(labels.row_keys()) - {""}
        if len(distinct) < 2:
            seen = f"one label only ({_plain(next(iter(distinct)))})" if distinct else "no label that is filled in"
            raise DataError(f"task {self.name!r} has {seen}; an embedding needs at least two")

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Task:
        """Read JSONL, CSV, TSV, Parquet (each also ``.gz``) or a task folder; see :func:`taskspace.data.read_task`."""
        from taskspace.data import read_task

        return read_task(path, **options)

    @classmethod
    def from_frame(cls, frame: Any, **options: Any) -> Task:
        """Read a pandas, polars or Arrow frame; see :func:`taskspace.data.task_from_frame`."""
        from taskspace.data import task_from_frame

        return task_from_frame(frame, **options)

    @classmethod
    def from_hub(cls, path: str, name: str | None = None, **options: Any) -> Task:
        """Read a Hub data set with ``load_dataset``'s arguments; see :func:`taskspace.data.task_from_hub`."""
        from taskspace.data import task_from_hub

        return task_from_hub(path, name, **options)


@dataclass(frozen=True, eq=False)
class Pool:
    """Unlabelled texts shared by everything in a space; single texts and pairs side by side."""

    texts: Sequence[str]
    text_pairs: Sequence[str | None] | None = None
    inputs: Inputs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = Inputs.of(self.texts, self.text_pairs)
        if not len(inputs):
            raise DataError("the pool has no texts; give a few hundred at least")
        for key, value in {"inputs": inputs, "texts": inputs.texts, "text_pairs": inputs.pairs}.items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"Pool({len(self)} rows, {int(self.inputs.is_pair.sum())} of them pairs)"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the rows in order: prediction files speak of row numbers."""
        return _join_digests("pool", self.inputs.digests)

    def overlap(self, task: Task) -> int:
        """Rows of ``task`` of which a text also stands in the pool, case, spaces and punctuation aside."""
        mine = {plain_letters(t) for t in _all_texts(self.inputs)}
        rows = zip(task.inputs.texts, task.inputs.pairs, strict=True)
        return sum(any(t is not None and plain_letters(t) in mine for t in row) for row in rows)

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Pool:
        """Read the texts of a file, leaving labels aside; see :func:`taskspace.data.read_pool`."""
        from taskspace.data import read_pool

        return read_pool(path, **options)

    @classmethod
    def from_tasks(cls, tasks: Iterable[Task], *, size: int = 2000, seed: int = 0) -> Pool:
        """Draw ``size`` distinct rows, as evenly over the tasks as they have rows; labels are dropped.

        Neither the order of the tasks nor of their rows changes the draw.
        """
        queues = [_shuffled_rows(task, seed) for task in sorted(tasks, key=lambda t: t.fingerprint)]
        if not queues:
            raise DataError("no tasks were given to draw a pool from; give at least one")
        rows = [row for _, row in sorted(_drawn_evenly(queues, size))]
        return cls([text for text, _ in rows], [pair for _, pair in rows])


_Row: TypeAlias = tuple[bytes, tuple[str, str | None]]


def _drawn_evenly(queues: list[list[_Row]], size: int) -> list[_Row]:
    """Distinct rows, one from each queue in turn until there are enough."""
    drawn: dict[bytes, tuple[str, str | None]] = {}
    while queues and len(drawn) < size:
        for queue in queues:
            while queue:
                digest, row = queue.pop()
                if digest not in drawn:
                    drawn[digest] = row
                    break
        queues = [queue for queue in queues if queue]
    return list(drawn.items())[:size]


def _shuffled_rows(task: Task, seed: int) -> list[_Row]:
    """A task's distinct rows in an order set by content and seed."""
    salt = str(seed)
    rows = zip(task.inputs.digests, task.inputs.texts, task.inputs.pairs, strict=True)
    distinct = {digest: (text, pair) for digest, text, pair in rows}
    return sorted(distinct.items(), key=lambda item: hashlib.sha256(salt.encode() + item[0]).digest())


def _all_texts(inputs: Inputs) -> list[str]:
    return [*inputs.texts, *(p for p in inputs.pairs if p is not None)]


def plain_letters(text: str) -> str:
    """A text without case, spaces and punctuation, by which near copies are found; as it is if nothing else is left."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", "", folded) or folded


def _digest(text: str, pair: str | None) -> bytes:
    """Lengths go in first, so that no two different rows are written alike."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in (text, pair):
        data = b"" if part is None else part.encode("utf-8", "surrogatepass")
        hasher.update(b"%d:" % (-1 if part is None else len(data)))
        hasher.update(data)
    return hasher.digest()


def _join_digests(what: str, digests: Iterable[bytes]) -> str:
    hasher = hashlib.sha256(what.encode())
    for digest in digests:
        hasher.update(digest)
    return hasher.hexdigest()


def _kind_of(labels: Labels | None) -> LabelKind | None:
    if labels is None:
        return None
    return "classes" if isinstance(labels, Classes) else "numbers" if isinstance(labels, Numbers) else "targets"


def _plain(row_key: str) -> str:
    return repr(row_key.split(":", 1)[1])
