"""Which rows are trained on, which choose the checkpoint, and which are only tested on.

Draws depend on the content of the rows and the seed, never on their order: each row has a place of its own in a
shuffle of all rows that could ever be, so that a row more or less moves few others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from taskspace.data.sampling import quotas
from taskspace.errors import DataError, SettingError
from taskspace.labels import Classes
from taskspace.task import Task
from taskspace.tuning._drawing import alike, parted, places, plain_rows, share_of, strata
from taskspace.tuning.examples import labelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

From: TypeAlias = Literal["size", "train", "test"]
Overlap: TypeAlias = Literal["refuse", "drop"]

_FROM = ("size", "train", "test")
LARGE = 10_000
"""Rows above which a task can spare validation rows from its training split."""


@dataclass(frozen=True, eq=False)
class Splits:
    """Three parts of one task that share no row; ``validation`` chooses checkpoints and weights, ``test`` nothing.

    Raises :class:`DataError` where two parts share a row, case, spaces and punctuation aside, or differ in
    their classes.
    """

    train: Task
    validation: Task | None
    test: Task

    def __post_init__(self) -> None:
        _require_sound(self._named())

    def _named(self) -> list[tuple[str, Task]]:
        """The parts that there are, by name."""
        validation = [] if self.validation is None else [("validation", self.validation)]
        return [("training", self.train), *validation, ("test", self.test)]


def split(
    task: Task,
    test: Task | None = None,
    *,
    seed: int,
    validation: Task | From | None = "size",
    rows: int = 1000,
    held_out: float = 0.2,
    overlap: Overlap = "refuse",
) -> Splits:
    """Training, validation and test split of a task, by the protocol of Task Prompt Vectors with its leaks mended.

    ``validation="train"`` draws ``rows`` validation rows from the training split; ``"test"`` leaves that whole and
    takes half of the test split; ``"size"`` does the first for a task of more than 10,000 rows and the second
    otherwise.  A task given as ``validation`` is taken as it is; ``None`` does without.  Draws are stratified by
    class.  Without ``test``, the share ``held_out`` of the task's rows is its test split.

    Rows without a label are left out.  Near copies (case, spaces and punctuation aside) never part: they are drawn as
    one row, and those that stand there with different labels are not drawn.  Where the given tasks share rows,
    ``overlap="drop"`` takes them out of the training split, then out of the validation split.

    Raises :class:`DataError` for shared rows, or too few of them to be drawn from.
    """
    if overlap not in ("refuse", "drop") or not (isinstance(validation, Task | None) or validation in _FROM):
        raise SettingError(f"validation={validation!r}, overlap={overlap!r} is not known; see what split() takes")
    given = [part for part in (task, test, validation) if isinstance(part, Task)]
    train, *others = _aligned([labelled(part) for part in given])
    large = len(train) > LARGE
    if test is None:
        train, test = parted(train, share_of(train, held_out), seed)
    else:
        test = others.pop(0)
    if overlap == "drop":
        train = _without(train, [test, *others])
        others = [_without(part, [test]) for part in others]
    if isinstance(validation, Task):
        return Splits(train, others[0], test)
    if validation is None:
        return Splits(train, None, test)
    if validation == "train" or (validation == "size" and large):
        train, drawn = parted(train, rows, seed)
    else:
        test, drawn = parted(test, len(alike(test)) // 2, seed, leave=0)
    return Splits(train, drawn, test)


def held_out(
    task: Task,
    *,
    validation: Task | float | None = None,
    test: Task | None = None,
    shots: int | None = None,
    seed: int = 0,
    overlap: Overlap = "refuse",
) -> tuple[Task, Task | None, Task | None]:
    """Rows to learn from, rows to choose the checkpoint by, and rows to test on; no two of them share a row.

    What is given is taken as it is, but for its order of classes.  ``shots`` rows are drawn to learn from
    (:func:`k_shot`); a share as ``validation`` is taken out of those (:func:`validation_within`).  ``overlap`` as in
    :func:`split`.
    """
    if overlap not in ("refuse", "drop"):
        raise SettingError(f"overlap={overlap!r} is not known; say 'refuse' or 'drop'")
    if isinstance(validation, bool) or not isinstance(validation, Task | Real | None):
        raise SettingError(f"validation={validation!r} is no task and no share of the rows; give one such as 0.2")
    given = {"validation": validation, "test": test}
    named = {name: labelled(part) for name, part in given.items() if isinstance(part, Task)}
    train, *others = _aligned([labelled(task), *named.values()])
    parts = dict(zip(named, others, strict=True))
    if overlap == "drop" and parts:
        train = _without(train, others)
        if len(others) == 2:
            parts["validation"] = _without(parts["validation"], [parts["test"]])
    if shots is not None:
        train = k_shot(train, shots, seed)
    if isinstance(validation, Real):
        train, drawn = validation_within(train, float(validation), seed)
        parts = {"validation": drawn, **parts}
    _require_sound([("training", train), *parts.items()])
    return train, parts.get("validation"), parts.get("test")


def k_shot(task: Task, k: int, seed: int) -> Task:
    """``k`` distinct rows in total, classes by their shares (largest remainder) and at least one row each.

    The same for any order of the rows.  Under one seed the rows of a class come from one shuffle, so that a larger
    draw holds a smaller one wherever no class gets fewer rows.  Numbers and target texts are drawn plainly.

    Raises :class:`SettingError` for no shots, fewer than there are classes, or more than there are rows.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:  # pyright: ignore[reportUnnecessaryIsInstance]  callers may be untyped
        raise SettingError(f"k={k!r} is not a number of rows; give a whole number")
    if k == 0:
        raise SettingError("zero shots cannot be trained on; evaluate the starting prompt as it is instead")
    task = labelled(task)
    order, classes = places(task, seed), strata(task)
    distinct = {place: row for row, place in enumerate(order)}
    counts = Counter(classes[row] for row in distinct.values())
    if k < len(counts):
        raise SettingError(f"{k} shots are too few for the {len(counts)} classes of task {task.name!r}; give one each")
    if k > len(distinct):
        raise SettingError(f"task {task.name!r} has {len(distinct)} distinct rows, fewer than {k} shots; ask for fewer")
    left, chosen = quotas(dict(counts), int(k)), list[int]()
    for _, row in sorted(distinct.items()):
        if left[classes[row]]:
            left[classes[row]] -= 1
            chosen.append(row)
    return task.take(chosen)


def validation_within(task: Task, share: float, seed: int) -> tuple[Task, Task]:
    """Training and validation rows out of few: ``share`` of the rows for validation, at least one, by class.

    At least one row of every class stays for training; near copies never part.  Raises :class:`DataError` where
    no row can be spared.
    """
    task = labelled(task)
    return parted(task, share_of(task, share), seed)


def _require_sound(named: Sequence[tuple[str, Task]]) -> None:
    """Raise :class:`DataError` where later parts differ from the first in their labels, or two share a row."""
    first = named[0][1]
    for name, part in reversed(named[1:]):
        if (part.kind, part.label_names) != (first.kind, first.label_names):
            raise DataError(
                f"the {name} split has {_labels_of(part)} but the training split {_labels_of(first)}; "
                "give both the same labels in the same order, as split() does"
            )
    for (later, theirs), (earlier, mine) in combinations(reversed(named), 2):
        _require_apart(earlier, mine, later, theirs)


def _shared(task: Task, others: Iterable[Task]) -> list[int]:
    """Rows of which a near copy stands in one of the others."""
    theirs = {plain for other in others for plain in plain_rows(other)}
    return [row for row, plain in enumerate(plain_rows(task)) if plain in theirs]


def _without(task: Task, others: Sequence[Task]) -> Task:
    shared = set(_shared(task, others))
    if len(shared) == len(task):
        raise DataError(
            f"every row of task {task.name!r} stands in another split too; give a split with rows of its own"
        )
    return task.take([row for row in range(len(task)) if row not in shared])


def _require_apart(name: str, task: Task, other: str, rows: Task) -> None:
    shared = _shared(task, [rows])
    if shared:
        example = f"row {shared[0]}, {task.inputs.texts[shared[0]][:60]!r}"
        raise DataError(
            f"{len(shared)} of the {len(task)} {name} rows also stand in the {other} split, case, spaces and "
            f"punctuation aside ({example}); take them out, as split(overlap='drop') does"
        )


def _aligned(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with one numbering of their classes: the first one's, then what only the others have."""
    names = tuple(dict.fromkeys(name for task in tasks for name in task.label_names))
    return [_recoded(task, names) for task in tasks]


def _recoded(task: Task, names: tuple[str, ...]) -> Task:
    labels = task.stated_labels
    if not isinstance(labels, Classes) or labels.names == names:
        return task
    codes = np.array([names.index(name) for name in labels.names], dtype=np.int64)[labels.codes]
    inputs = task.inputs
    return Task(inputs.texts, Classes(codes, names), inputs.pairs, task.name, description=task.description)


def _labels_of(task: Task) -> str:
    return f"the classes {', '.join(task.label_names)}" if task.label_names else f"{task.kind or 'no labels'}"
