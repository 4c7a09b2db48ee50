"""The rows of a ground truth: what a source is tuned on, what a target is tuned and tested on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.labelers import ask
from taskspace.task import Task, plain_letters
from taskspace.tuning.examples import labelled
from taskspace.tuning.lessons import lesson
from taskspace.tuning.metrics import METRICS, Metric, metric_named
from taskspace.tuning.rows import Examples
from taskspace.tuning.splits import Splits, k_shot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.bench.transfer.plan import Plan
    from taskspace.labelers import Labeler
    from taskspace.task import Inputs, Pool

_OTHERWISE = {"classes": "accuracy", "numbers": "spearman"}


@dataclass(frozen=True, eq=False)
class Distilled:
    """What a labeler said of unlabelled texts: a source that is known by its answers alone.

    The ``fingerprint`` changes with the answers.
    """

    examples: Examples
    fingerprint: str


Rows: TypeAlias = "Splits | Distilled"
Data: TypeAlias = "Mapping[str, Rows]"
"""What is known of each source and target, by name."""


@dataclass(frozen=True)
class Shared:
    """So many rows on which a source is tuned also stand among the test rows of a target."""

    source: str
    target: str
    rows: int


def distilled(labeler: Labeler, pool: Pool, *, progress: bool = False) -> Distilled:
    """Put the pool to a labeler; rows on which it abstains, and second copies, are left out.

    Raises :class:`LabelerError` for answers that are none.
    """
    inputs, answers = ask(labeler, pool, progress=progress)
    first = {digest: row for row, digest in reversed(list(enumerate(inputs.digests))) if answers.known[row]}
    rows = np.array(sorted(first.values()), dtype=np.int64)
    identity = hashlib.sha256(f"{labeler.fingerprint}/{pool.fingerprint}".encode()).hexdigest()
    return Distilled(Examples(inputs.take(rows), answers.kind, answers.values[rows]), identity)


def source_rows(rows: Rows, most: int) -> Task | Examples:
    """At most so many distinct rows to tune a source on, the same for any order of them."""
    if isinstance(rows, Splits):
        return _drawn(rows.train, most)
    examples = rows.examples
    places = [hashlib.sha256(b"0/" + digest).digest() for digest in examples.inputs.digests]
    return examples.take(np.array(sorted(range(len(places)), key=places.__getitem__)[:most], dtype=np.int64))


def rows_for_test(rows: Splits, most: int) -> Task:
    """The labelled test rows of a target, or so many of them, by class."""
    test = labelled(rows.test)
    return test if len(test) <= most else _drawn(test, most)


def metric_of(name: str, task: Task) -> Metric:
    """The metric of that name where it fits the labels of the task, else the usual one for them."""
    wanted = metric_named(name)
    if wanted.kind not in _OTHERWISE:
        known = ", ".join(each for each in METRICS if METRICS[each].kind in _OTHERWISE)
        raise SettingError(f"{name} is of texts that a model writes, and a head writes none; say one of {known}")
    if task.kind not in _OTHERWISE:
        raise DataError(f"task {task.name!r} has {task.kind or 'no labels'}; a target needs classes or numbers")
    if wanted.of_positive and task.kind == "classes" and len(task.label_names) != 2:
        raise SettingError(
            f"{name} is of two classes and target {task.name!r} has {len(task.label_names)}; say macro_f1 or accuracy"
        )
    return wanted if wanted.kind == task.kind else METRICS[_OTHERWISE[task.kind]]


def contents(plan: Plan, data: Data) -> dict[tuple[str, str], str]:
    """A fingerprint of all that decides a number, by task and part."""
    found: dict[tuple[str, str], str] = {}
    for name in dict.fromkeys((*plan.sources, *plan.targets)):
        rows = data[name]
        if isinstance(rows, Distilled):
            found[name, "answers"] = rows.fingerprint
            continue
        found[name, "train"] = rows.train.fingerprint
        if name in plan.targets:
            found[name, "test"] = rows.test.fingerprint
    return found


def require_measurable(plan: Plan, data: Data) -> None:
    """Raise now what would stop the measurement later: tasks without rows, too few rows, labels of another kind."""
    for name in (*plan.sources, *plan.targets):
        if name not in data:
            raise DataError(f"no rows were given for task {name!r}; give them, or leave it out")
    for name in plan.sources:
        lesson(source_rows(data[name], plan.source_rows))
    for name in plan.targets:
        rows = data[name]
        if isinstance(rows, Distilled):
            raise DataError(f"{name!r} is a labeler's answers, and a target needs rows to test on; leave it out there")
        metric_of(plan.metric, rows_for_test(rows, plan.test_rows))
        lesson(k_shot(rows.train, plan.shots, plan.seeds[0]))


def shared_rows(plan: Plan, data: Data) -> list[Shared]:
    """Where a source has seen rows on which a target is tested (case, spaces and punctuation aside): its gain there
    is flattered.
    """
    seen = {name: _plain(source_rows(data[name], plan.source_rows).inputs) for name in plan.sources}
    found: list[Shared] = []
    for target in plan.targets:
        rows = data[target]
        tested = _plain(rows_for_test(rows, plan.test_rows).inputs) if isinstance(rows, Splits) else set[_Row]()
        found += [Shared(source, target, len(tested & rows)) for source, rows in seen.items() if source != target]
    return [each for each in found if each.rows]


_Row: TypeAlias = "tuple[str, str | None]"


def _plain(inputs: Inputs) -> set[_Row]:
    rows = zip(inputs.texts, inputs.pairs, strict=True)
    return {(plain_letters(text), None if pair is None else plain_letters(pair)) for text, pair in rows}


def _drawn(task: Task, most: int) -> Task:
    task = labelled(task)
    keys = [] if task.stated_labels is None else task.stated_labels.row_keys()
    distinct = len(set(zip(task.inputs.digests, keys, strict=True)))
    return k_shot(task, min(most, distinct), seed=0)
