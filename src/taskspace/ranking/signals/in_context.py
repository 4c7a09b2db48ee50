"""In-context transferability: what a language model gains on the target from examples of a source (BenTo)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.labelers.prompts import Prompt, from_prompt
from taskspace.labels import Classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.labelers.prompts import PromptModel
    from taskspace.task import Task


@dataclass(frozen=True, eq=False)
class InContext:
    """Accuracy on the target's rows after ``shots`` solved rows of the source, less that without any.

    As A[s, t] of BenTo (arXiv 2410.13804), minus zero-shot; the mean over ``draws`` of the solved rows.  A row is its
    text, or two lines for a pair, then "Answer:" and a class name, so that a source's classes need not be the target's.
    ``rows`` of the target are asked at most, and of neither task a row without a label.  Answers are kept in this
    user's store, so nothing is asked twice.
    """

    model: PromptModel
    shots: int = 5
    draws: int = 3
    rows: int = 100
    seed: int = 0
    _alone: dict[str, float] = field(default_factory=dict[str, float], init=False, repr=False)

    def score(self, source: Task, target: Task) -> float:
        """The gain in accuracy; raises :class:`DataError` where either has no classes, or no row with a label."""
        asked = _sample(target, self.rows, self.seed)
        if target.fingerprint not in self._alone:
            self._alone[target.fingerprint] = self._accuracy(asked, "")
        drawn = [_sample(source, self.shots, self.seed + draw + 1) for draw in range(self.draws)]
        after = [self._accuracy(asked, "\n\n".join(_solved(rows))) for rows in drawn]
        return float(np.mean(after)) - self._alone[target.fingerprint]

    def _accuracy(self, target: Task, before: str) -> float:
        template = "{text}\n{text_pair}\nAnswer:" if target.inputs.is_pair.any() else "{text}\nAnswer:"
        words = {name: (_plain(name),) for name in target.label_names}
        prompt = Prompt("in context", template, words, system=before)
        answers = from_prompt(prompt, self.model).answer(target.inputs)
        said = np.where(answers.known, answers.values.argmax(axis=1), -1)
        return float(np.mean(said == _codes(target)))


def _sample(task: Task, rows: int, seed: int) -> Task:
    """Labelled rows, drawn from an order that hangs on their content alone."""
    known = task.canonical()
    labelled = np.flatnonzero(_codes(known) >= 0)
    if not len(labelled):
        raise DataError(f"no row of task {task.name!r} has a label, which examples in context need; leave it out")
    return known.take(labelled[np.sort(np.random.default_rng(seed).permutation(len(labelled))[:rows])])


def _solved(task: Task) -> list[str]:
    rows = zip(task.inputs.texts, task.inputs.pairs, _codes(task), strict=True)
    names = [_plain(name) for name in task.label_names]
    return ["\n".join(filter(None, (text, pair, f"Answer: {names[code]}"))) for text, pair, code in rows]


def _codes(task: Task) -> NDArray[np.int64]:
    """int64[n]: the class of each row, -1 without a label."""
    labels = task.stated_labels
    if not isinstance(labels, Classes):
        raise DataError(f"task {task.name!r} has no classes, which examples in context need; leave it out")
    return labels.codes


def _plain(name: str) -> str:
    return name.replace("_", " ")
