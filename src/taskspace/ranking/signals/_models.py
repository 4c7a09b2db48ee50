"""Signals that run each source on the target's labelled rows, or map the base model's features in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, TaskspaceError
from taskspace.labels import Classes
from taskspace.ranking.estimators import ESTIMATORS, leep, logme, nce
from taskspace.ranking.signals._signal import Signal
from taskspace.ranking.signals.question import Source, stated

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from taskspace.ranking.signals.question import Corpus, Question

_ABOUT = {
    "logme": "log evidence of a linear model on the source's features",
    "h_score": "between-class share of the source's features, shrunk",
    "transrate": "coding rate of the source's features that labels save",
    "knn": "leave-one-out accuracy of 5 neighbours in the source's features",
    "linear_probe": "leave-one-out accuracy of ridge on the source's features",
    "parc": "agreement of the distances of features and of labels",
}


def model_signals() -> list[Signal]:
    """The estimators over a source model's features and answers, and ESM."""
    needs = ("target labels", "source model")
    once = "target per source"
    return [
        *(
            Signal(name, _ABOUT[name], needs, once, _over_features(rule), 0.5 if name == "logme" else 0.1)
            for name, rule in ESTIMATORS.items()
        ),
        Signal("leep", "log-likelihood of the labels given the source's answers", needs, once, _over_answers(leep)),
        Signal("nce", "minus the labels' entropy given the source's answers", needs, once, _over_answers(_nce)),
        Signal("esm", "LogME on base features mapped as the source moves them", ("target labels", "source map"),
               "target once", _mapped),
    ]  # fmt: skip


def _over_features(rule: Callable[..., float]) -> Callable[[Question], NDArray[np.float64]]:
    def read(question: Question) -> NDArray[np.float64]:
        corpus = _labelled(question)
        inputs, labels = corpus.task.inputs, corpus.labels
        return _each(question, lambda s: None if s.model is None else rule(s.model.features(inputs), labels))

    return read


def _over_answers(rule: Callable[..., float]) -> Callable[[Question], NDArray[np.float64]]:
    def read(question: Question) -> NDArray[np.float64]:
        corpus = _labelled(question)
        if not isinstance(corpus.task.stated_labels, Classes):
            raise DataError(f"target {question.target!r} has no classes, which this signal compares answers with")
        inputs, codes = corpus.task.inputs, corpus.labels
        return _each(question, lambda s: None if s.model is None else rule(s.model.probabilities(inputs), codes))

    return read


def _mapped(question: Question) -> NDArray[np.float64]:
    corpus = _labelled(question)
    features, labels = corpus.features, corpus.labels
    return _each(question, lambda s: None if s.space_map is None else logme(s.space_map.apply(features), labels))


def _nce(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    return nce(probabilities.argmax(axis=1), codes)


def _each(question: Question, rule: Callable[[Source], float | None]) -> NDArray[np.float64]:
    lacking = f"none of {len(question)} sources can be run for this signal; give at least one with its model"
    return per_source(question, rule, lacking)


def per_source(question: Question, rule: Callable[[Source], float | None], lacking: str) -> NDArray[np.float64]:
    """float64[n]: what ``rule`` says of each source; NaN where it says nothing or the source cannot be read.

    One broken source does not silence the others.  Where none could be read, raises :class:`DataError` with the first
    reason, or with ``lacking`` where nothing went wrong.
    """
    found, faults = list[float | None](), list[TaskspaceError]()
    for source in question.sources:
        try:
            found.append(rule(source))
        except TaskspaceError as fault:
            found.append(None)
            faults.append(fault)
    if all(value is None for value in found):
        raise DataError(str(faults[0]) if faults else lacking) from (faults[0] if faults else None)
    return np.array([np.nan if value is None else value for value in found])


def _labelled(question: Question) -> Corpus:
    return stated(question.corpus, f"the labelled rows of {question.target!r}")
