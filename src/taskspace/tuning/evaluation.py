"""What the rows of a bank score on a labelled task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError
from taskspace.labels import Classes, Numbers
from taskspace.tuning.examples import Verbaliser, labelled, number_of, plain, verbalised
from taskspace.tuning.metrics import best_metric_for, metric_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.task import Task
    from taskspace.tuning.backbones import Backbone
    from taskspace.tuning.bank import Bank
    from taskspace.tuning.rows import Examples


def worded(backbone: Backbone, task: Task, verbaliser: Verbaliser | None = None) -> Examples:
    """A task as this backbone reads it: plain texts for an encoder, verbalised ones for a model that writes."""
    if backbone.kind != "encoder":
        return verbalised(task, verbaliser)
    words = verbaliser.answers if verbaliser is not None and task.kind == "classes" else None
    return plain(task, words)


def evaluate(
    bank: Bank,
    task: Task,
    owners: Sequence[int],
    *,
    metric: str | None = None,
    verbaliser: Verbaliser | None = None,
    max_length: int,
    max_tokens: int = 32,
) -> NDArray[np.float64]:
    """float64[len(owners)]: the metric of each bank row on the labelled rows of ``task``.

    Classes, and numbers among known answers, are answered by the likeliest answer as a whole, numbers of a head as
    they are; free text and other numbers are written greedily, in up to ``max_tokens`` tokens.  The metric is by
    default the task's own.

    Raises :class:`SettingError` for a metric of another kind of labels.
    """
    task = labelled(task)
    chosen = best_metric_for(task) if metric is None else metric_named(metric)
    if chosen.kind != task.kind:
        raise SettingError(
            f"metric {chosen.name!r} is of {chosen.kind}, and task {task.name!r} has {task.kind}; take another one"
        )
    examples = worded(bank.backbone, task, verbaliser)
    truth = truth_of(task)
    said = _said(bank, task, examples, list(owners), max_length, max_tokens)
    return np.array([chosen(truth, each, classes=task.label_names) for each in said])


def truth_of(task: Task) -> list[Any]:
    """The right answer of each labelled row: a class name, a number or a text."""
    labels = task.stated_labels
    if isinstance(labels, Classes):
        return [labels.names[code] for code in labels.codes]
    return labels.values.tolist() if isinstance(labels, Numbers) else list(labels.texts) if labels else []


def _said(
    bank: Bank, task: Task, examples: Examples, owners: list[int], max_length: int, max_tokens: int
) -> list[list[Any]]:
    """Per bank row what it answers, in the form of the truth."""
    if examples.kind == "targets" and not examples.answers:
        read = number_of if task.kind == "numbers" else str
        written = (bank.generate(examples, each, max_length=max_length, max_tokens=max_tokens) for each in owners)
        return [[read(text) for text in texts] for texts in written]
    scores = bank.scores(examples, owners, max_length=max_length)
    if examples.kind == "numbers":
        return scores[:, :, 0].tolist()
    names = task.label_names or [number_of(answer) for answer in examples.answers]
    return [[names[place] for place in row] for row in scores.argmax(2)]
