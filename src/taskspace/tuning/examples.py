"""From a task to examples: how its rows are put to a model, and by which words the model answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.labels import Classes, Numbers, Targets
from taskspace.task import Inputs
from taskspace.tuning._verbaliser import Verbaliser, class_words, number_of, require_distinct
from taskspace.tuning.rows import Examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from taskspace.task import Task

__all__ = ["Verbaliser", "labelled", "number_of", "plain", "verbalised"]


def verbalised(task: Task, verbaliser: Verbaliser | None = None) -> Examples:
    """Examples for a model that reads and writes text; rows without a label are left out.

    Classes are answered by the verbaliser's words, numbers and target texts by writing them.  Without a ``verbaliser``
    it is :meth:`Verbaliser.of` the task.
    """
    verbaliser = verbaliser or Verbaliser.of(task)
    examples = plain(task, verbaliser.answers if task.kind == "classes" else None)
    rows = zip(examples.inputs.texts, examples.inputs.pairs, strict=True)
    inputs = Inputs.of([verbaliser.ask(text, second) for text, second in rows])
    if examples.kind != "numbers":
        return Examples(inputs, examples.kind, examples.values, examples.answers, examples.targets)
    return _written(inputs, examples.values[:, 0], verbaliser)


def plain(task: Task, words: Mapping[str, str] | None = None) -> Examples:
    """Examples for an encoder: the texts as they are, answered by ``words`` or by the class names.

    Underscores in class names become spaces.  Numbers stay numbers, for a head; rows without a label are left out.
    """
    task = labelled(task)
    labels = task.stated_labels
    answers = class_words(task, words)
    if isinstance(labels, Classes):
        require_distinct(answers)
        values = np.eye(len(labels.names))[labels.codes]
        return Examples(task.inputs, "classes", values, tuple(answers.values()))
    if isinstance(labels, Numbers):
        _require_small(labels.values)
        return Examples(task.inputs, "numbers", labels.values[:, None])
    targets = tuple(text for text in labels.texts if text is not None) if isinstance(labels, Targets) else ()
    return Examples(task.inputs, "targets", np.zeros((len(task), 0)), targets=targets)


def _require_small(values: NDArray[np.float64]) -> None:
    """:class:`DataError` for a number that float32, in which heads are trained, does not hold."""
    large = ~(np.abs(values) <= np.finfo(np.float32).max)
    if large.any():
        raise DataError(f"the label {values[large][0]} is too large to be learned; mend the row")


def labelled(task: Task) -> Task:
    """The rows that have a label; raises :class:`DataError` if none has."""
    labels = task.stated_labels
    rows = [] if labels is None else [row for row, key in enumerate(labels.row_keys()) if key]
    if not rows:
        raise DataError(f"task {task.name!r} has no labels, so nothing can be tuned on it; name the label column")
    return task if len(rows) == len(task) else task.take(rows)


def _written(inputs: Inputs, numbers: NDArray[np.float64], verbaliser: Verbaliser) -> Examples:
    answers = tuple(verbaliser.answers.values())
    targets = tuple(verbaliser.written(number) for number in numbers.tolist())
    strange = next((target for target in targets if answers and target not in answers), None)
    if strange is not None:
        raise DataError(
            f"a label is written {strange!r}, which is not among the answers from {answers[0]!r} to {answers[-1]!r}; "
            "mend the row, or give a verbaliser with other answers"
        )
    return Examples(inputs, "targets", np.zeros((len(targets), 0)), answers, targets)
