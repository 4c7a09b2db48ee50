"""Signals that do not look at the target: what every other must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.history import rank_prior, source_prior
from taskspace.ranking.signals._signal import Signal
from taskspace.ranking.signals.question import stated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.ranking.signals.question import Question


def controls() -> list[Signal]:
    """The source prior, the number of rows, chance; and examples in context, which only a language model can give."""
    return [
        Signal("prior", "how much the source helped other targets", ("transfers",), "none", _prior),
        Signal("prior+ranks", "the same in ranks, which no odd run can spoil", ("transfers",), "none", _rank_prior),
        Signal("size", "log of the source's rows", ("source texts",), "none", _size),
        Signal("random", "drawn anew for each target", ("nothing",), "none", _random),
        Signal("in_context", "answers after examples of the source, over answers without",
               ("language model", "source texts", "target labels"), "both per source", _in_context),
    ]  # fmt: skip


def _prior(question: Question) -> NDArray[np.float64]:
    return source_prior(question.measured, question.target)


def _rank_prior(question: Question) -> NDArray[np.float64]:
    return rank_prior(question.measured, question.target)


def _size(question: Question) -> NDArray[np.float64]:
    rows = [len(s.corpus.task) if s.rows is None and s.corpus is not None else s.rows for s in question.sources]
    if not any(rows):
        raise DataError(f"of none of {len(rows)} sources the rows were counted; give their data, or Source(rows=)")
    return np.array([np.log(count) if count else np.nan for count in rows])


def _random(question: Question) -> NDArray[np.float64]:
    # The draw hangs on the target's name, so that one seed does not repeat one order for all targets.
    return np.random.default_rng([question.seed, *question.target.encode()]).random(len(question))


def _in_context(question: Question) -> NDArray[np.float64]:
    model = stated(question.demonstrates, "a language model that answers after examples")
    target = stated(question.corpus, f"the labelled rows of {question.target!r}").task
    corpora = [source.corpus for source in question.sources]
    if all(corpus is None for corpus in corpora):
        raise DataError(f"none of {len(corpora)} sources has rows to show as examples; give their data")
    return np.array([np.nan if corpus is None else model.score(corpus.task, target) for corpus in corpora])
