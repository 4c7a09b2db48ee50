"""FUTE for prompts in its direct form: how alike a data set and each prompt answer one pool (ours).

The probe of a data set, put to the pool, is the data set's answer function; a prompt's own answers there
are fitted by the same probe.  The cosine is that of the space's ``response`` embeddings (FUTE, arXiv
2402.14522: MTE against DTE); the signed form sets class against class by name, so that a prompt which
says the opposite scores below zero where the cosine cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np

from taskspace.errors import SettingError, did_you_mean
from taskspace.labels import Answers, Classes
from taskspace.learners import Ground, gather
from taskspace.learners.response import Places, Response, beats_noise, fit_smoother, pool_coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.space import Space
    from taskspace.task import Inputs, Task

Matrix: TypeAlias = "NDArray[np.float64]"


@final
@dataclass(frozen=True, eq=False)
class AnswerFunctions:
    """A data set beside the rows that prompts answered, in one space's coordinates.

    ``task`` float64[q, c] is the data set's probe, columns in the order of the prompts' labels; ``x``
    float64[n, q] is where the rows stand.  ``informative`` is False where the data set's labels cannot be told from
    noise, as for an embedding.
    """

    task: Matrix
    x: Matrix
    shrinkage: float
    informative: bool

    def cosines(self, probs: Matrix, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """float64[T] in [0, 1] for answers [T, n, c]: the cosine of MTE and DTE, blind to the order of the classes."""
        probes = self._probes(probs, known)
        with_task = np.einsum("qc,tqk->tck", _spread(self.task), probes)
        own = np.einsum("tqc,tqk->tck", probes, probes)
        sizes = np.linalg.norm(own, axis=(1, 2)) * np.linalg.norm(_spread(self.task).T @ _spread(self.task))
        return _divided((with_task**2).sum(axis=(1, 2)), sizes)

    def signed(self, probs: Matrix, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """float64[T] in [-1, 1]: the trace form ⟨R_D, R_t⟩ / ‖R_D‖‖R_t‖ of centred answers on the rows.

        Unlike :meth:`cosines` it sees all of a prompt's answers, not only what a probe can repeat.
        """
        together, sizes = np.zeros(len(probs)), np.zeros(len(probs))
        for t, (answers, here) in enumerate(zip(probs, known, strict=True)):
            if here.sum() < 2:
                continue
            ours, theirs = (_spread(_varying(part)) for part in (self.x[here] @ self.task, answers[here]))
            together[t], sizes[t] = (ours * theirs).sum(), np.linalg.norm(ours) * np.linalg.norm(theirs)
        return _divided(together, sizes)

    def take(self, rows: NDArray[np.int64]) -> AnswerFunctions:
        """The same with these rows only, repeats allowed: for resampling."""
        return replace(self, x=self.x[rows])

    @cached_property
    def _solve(self) -> Matrix:
        """The solution for prompts that answered all rows, which most did."""
        return _solved(self.x, self.shrinkage)

    def _probes(self, probs: Matrix, known: NDArray[np.bool_]) -> Matrix:
        """float64[T, q, c]; prompts that answered the same rows share one solution."""
        probes = np.zeros((len(probs), self.x.shape[1], probs.shape[2]))
        patterns, which = np.unique(known, axis=0, return_inverse=True)
        for number, here in enumerate(patterns):
            if here.sum() < 2:
                continue
            solve = self._solve if here.all() else _solved(self.x[here], self.shrinkage)
            for t in np.flatnonzero(which == number):
                probes[t] = _spread(solve @ _varying(probs[t][here]))
        return probes


def answer_functions(space: Space, task: Task, inputs: Inputs, labels: Sequence[str]) -> AnswerFunctions:
    """Fit the data set's probe and place the rows that prompts answered.

    Raises :class:`SettingError` when the space's learner is not ``response``, or when the data set's
    classes are not the prompts' labels.
    """
    if not isinstance(space.learner, Response):
        raise SettingError(
            f"prompts are compared with a data set by the learner 'response', and this space has"
            f" {space.learner.name!r}; give a space with learner='response'"
        )
    task.require_learnable()
    ground = Ground(space.surrogate, space.pool, space.seed)
    places = Places(ground, pool_coordinates(ground, space.learner.components))
    # Rows are merged as an embedding's are; a column of row numbers keeps the classes in the prompts' order.
    answers = in_order(task, labels)
    evidence = gather(task.inputs, Answers(answers.values, answers.known, "numbers"))
    smoother = fit_smoother(places.of(evidence.inputs), evidence.weights, space.learner.shrinkage)
    centred = evidence.values - evidence.weights @ evidence.values
    return AnswerFunctions(
        smoother.solve @ centred, places.of(inputs), space.learner.shrinkage, beats_noise(smoother, centred)
    )


def _solved(x: Matrix, shrinkage: float) -> Matrix:
    """float64[q, n]: from answers at ``x`` to their probe, each row as much as any other."""
    return fit_smoother(x, np.full(len(x), 1 / len(x)), shrinkage).solve


def in_order(task: Task, labels: Sequence[str]) -> Answers:
    """One-hot answers, columns in the order of ``labels``; :class:`SettingError` for a class that is none of them."""
    stated = task.stated_labels
    if not isinstance(stated, Classes):
        raise SettingError(f"the labels of {task.name!r} are {task.kind}, not classes; prompts are compared by classes")
    present = {stated.names[code] for code in stated.present()}
    strangers = sorted(present - set(labels))
    if strangers:
        raise SettingError(
            f"{task.name!r} has the class {strangers[0]!r}, which is no label of the prompts"
            f"{did_you_mean(strangers[0], labels)}; name the labels in the prompt file as the data does"
        )
    column = np.array([labels.index(name) if name in labels else -1 for name in stated.names], dtype=np.int64)
    known = stated.codes >= 0
    values = np.zeros((len(task), len(labels)))
    values[np.flatnonzero(known), column[stated.codes[known]]] = 1.0
    return Answers(values, known)


def _varying(answers: Matrix) -> Matrix:
    """Answers less their mean; exactly zero where they differ by no more than rounding does."""
    centred = answers - answers.mean(axis=0)
    return centred * (np.square(centred).sum() > 1e-24 * np.square(answers).sum())


def _spread(part: Matrix) -> Matrix:
    """Only what tells the classes of a row apart."""
    return part - part.mean(axis=-1, keepdims=True)


def _divided(over: Matrix, under: Matrix) -> Matrix:
    return np.where(under > 0, over / np.where(under > 0, under, 1.0), 0.0)
