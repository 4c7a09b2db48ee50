"""How well answers agree with the truth: one number each, as fractions of 1, higher is better.

``truth`` and ``said`` are as long as each other.  Classes are compared as Python values (names or codes) and never cut
to a width; ``None`` among ``said`` is no answer: wrong for the row's own class and for no other.  Texts may have
several right answers, given as a sequence; the best match counts.
"""

from __future__ import annotations

import math
import re
import string
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from taskspace._extras import require
from taskspace.errors import DataError, SettingError, did_you_mean
from taskspace.tuning._wordings import plain_names

if TYPE_CHECKING:
    from taskspace.labels import LabelKind
    from taskspace.task import Task

Gold: TypeAlias = str | Sequence[str]


@dataclass(frozen=True)
class Metric:
    """A metric by its field's name; ``kind`` is that of the labels it takes.

    ``of_positive``: it looks at one of two classes, the second in code order.
    """

    name: str
    kind: LabelKind
    measure: Callable[..., float]
    of_positive: bool = False

    def __call__(self, truth: Sequence[Any], said: Sequence[Any], *, classes: Sequence[Hashable] = ()) -> float:
        """Its value; ``classes`` are all there may be, in code order."""
        if not self.of_positive:
            return self.measure(truth, said)
        if len(classes) != 2:
            raise SettingError(f"{self.name} is of two classes, not of {len(classes)}; give both, or take macro_f1")
        return self.measure(truth, said, positive=classes[1])


def accuracy(truth: Sequence[Hashable], said: Sequence[Hashable]) -> float:
    """Share of the rows that are answered rightly."""
    return _mean([float(a == b) for a, b in _rows(truth, said)])


def macro_f1(truth: Sequence[Hashable], said: Sequence[Hashable]) -> float:
    """F1 per class, averaged over the classes that occur among the truth or the answers."""
    wanted, given, known = _codes(truth, said)
    return float(_sklearn().f1_score(wanted, given, labels=known, average="macro", zero_division=0.0))


def f1(truth: Sequence[Hashable], said: Sequence[Hashable], *, positive: Hashable) -> float:
    """F1 of the positive class; 0 where it neither occurs nor is answered."""
    wanted, given = zip(*((int(a == positive), int(b == positive)) for a, b in _rows(truth, said)), strict=True)
    return float(_sklearn().f1_score(wanted, given, zero_division=0.0))


def matthews(truth: Sequence[Hashable], said: Sequence[Hashable]) -> float:
    """Matthews' correlation in [-1, 1] (Gorodkin 2004 for many classes); 0 where either side is constant."""
    wanted, given, _ = _codes(truth, said)
    if len(set(wanted)) < 2 or len(set(given)) < 2:
        return 0.0
    return float(_sklearn().matthews_corrcoef(wanted, given))


def pearson(truth: Sequence[float], said: Sequence[float]) -> float:
    """Pearson's correlation in [-1, 1].

    0 where either side is constant, which scipy leaves undefined: an answer that is always the same tells nothing.
    """
    return _correlation("pearsonr", truth, said)


def spearman(truth: Sequence[float], said: Sequence[float]) -> float:
    """Pearson's correlation of the ranks, equals at their mean rank; 0 where either side is constant."""
    return _correlation("spearmanr", truth, said)


def exact_match(truth: Sequence[Gold], said: Sequence[str]) -> float:
    """Share of the texts that are a right answer to the letter, outer spaces aside."""
    return _best(truth, said, lambda gold, text: float(gold.strip() == text.strip()))


def qa_exact_match(truth: Sequence[Gold], said: Sequence[str]) -> float:
    """Share of the answers that are right but for case, punctuation and articles (Rajpurkar et al. 2016)."""
    return _best(truth, said, lambda gold, text: float(squad_words(gold) == squad_words(text)))


def qa_f1(truth: Sequence[Gold], said: Sequence[str]) -> float:
    """Mean F1 of the words of each answer (Rajpurkar et al. 2016).

    An answer or truth without words, as for SQuAD 2 questions that have no answer, matches only the like.
    """
    return _best(truth, said, _word_f1)


def rouge_l(truth: Sequence[Gold], said: Sequence[str]) -> float:
    """Mean F-measure of the longest common subsequence of words (Lin 2004), without stemming.

    Words are letters and digits of any script, lower case: on ASCII the same as ``rouge-score`` by default, which
    drops all else.  0 where either text has no words.
    """
    scoring = require("rouge_score.rouge_scorer", extra="rouge", why="ROUGE-L")
    scorer = scoring.RougeScorer(["rougeL"], tokenizer=_Words())
    return _best(truth, said, lambda gold, text: float(scorer.score(gold, text)["rougeL"].fmeasure))


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "classes", accuracy),
        Metric("macro_f1", "classes", macro_f1),
        Metric("f1", "classes", f1, of_positive=True),
        Metric("matthews", "classes", matthews),
        Metric("pearson", "numbers", pearson),
        Metric("spearman", "numbers", spearman),
        Metric("exact_match", "targets", exact_match),
        Metric("qa_exact_match", "targets", qa_exact_match),
        Metric("qa_f1", "targets", qa_f1),
        Metric("rouge_l", "targets", rouge_l),
    )
}

_USUAL = {"cola": "matthews", "squad": "qa_f1", "squadv2": "qa_f1"}
_BY_KIND = {"classes": "macro_f1", "numbers": "pearson", "targets": "rouge_l"}


def metric_named(name: str) -> Metric:
    """The metric of that name; raises :class:`SettingError` with the nearest one."""
    if name not in METRICS:
        raise SettingError(f"there is no metric {name!r}{did_you_mean(name, METRICS)}")
    return METRICS[name]


def best_metric_for(task: Task) -> Metric:
    """What is usually reported: Matthews for CoLA and word F1 for SQuAD, by name; else by the kind of labels.

    Macro-F1 for classes and Pearson for numbers, as in Task Prompt Vectors; ROUGE-L for target texts.
    """
    if task.kind is None:
        raise DataError(f"task {task.name!r} has no labels, so no metric fits it; name the label column")
    usual = (METRICS[_USUAL[name]] for name in plain_names(task.name) if name in _USUAL)
    return next((metric for metric in usual if metric.kind == task.kind), METRICS[_BY_KIND[task.kind]])


def squad_words(text: str) -> list[str]:
    """The words of an answer as SQuAD's own script compares them: lower case, no punctuation, no articles."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


class _Words:
    """What ``rouge-score`` calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.lower())


def _word_f1(gold: str, text: str) -> float:
    wanted, given = squad_words(gold), squad_words(text)
    if not wanted or not given:
        return float(wanted == given)
    common = (Counter(wanted) & Counter(given)).total()
    return 2 * common / (len(wanted) + len(given))


def _best(truth: Sequence[Gold], said: Sequence[str], score: Callable[[str, str], float]) -> float:
    """The mean over rows of the score of the best right answer; no right answer is the empty one."""
    golds = ((gold,) if isinstance(gold, str) else tuple(gold) or ("",) for gold, _ in _rows(truth, said))
    return _mean([max(score(gold, text) for gold in row) for row, text in zip(golds, said, strict=True)])


def _correlation(name: str, truth: Sequence[float], said: Sequence[float]) -> float:
    columns = np.array(_rows(truth, said), dtype=np.float64).T
    if not np.isfinite(columns).all():
        raise DataError("truth or answers hold NaN or infinity; put a number where none was read, as number_of() does")
    columns /= np.maximum(np.abs(columns).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)  # against overflow
    if (np.ptp(columns, axis=1) == 0).any():
        return 0.0
    correlate = getattr(require("scipy.stats", extra="sklearn", why=name), name)
    with warnings.catch_warnings():  # scipy's, of a column that is nearly constant
        warnings.simplefilter("ignore")
        value = float(correlate(*columns).statistic)
    return 0.0 if math.isnan(value) else value


def _codes(truth: Sequence[Hashable], said: Sequence[Hashable]) -> tuple[list[int], list[int], list[int]]:
    """Both columns as whole numbers, -1 for no answer, and the numbers of the classes that occur."""
    rows = _rows(truth, said)
    if any(a is None for a, _ in rows):
        raise DataError("a row has no right answer; leave such rows out, as labelled() does")
    values = dict.fromkeys(value for row in rows for value in row if value is not None)
    codes: dict[Hashable, int] = {value: code for code, value in enumerate(values)}
    return [codes.get(a, -1) for a, _ in rows], [codes.get(b, -1) for _, b in rows], list(codes.values())


def _rows(truth: Sequence[Any], said: Sequence[Any]) -> list[tuple[Any, Any]]:
    if len(truth) != len(said) or not len(truth):
        raise DataError(f"{len(truth)} right answers but {len(said)} given ones; give one per row")
    return list(zip(truth, said, strict=True))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _sklearn() -> Any:
    return require("sklearn.metrics", extra="sklearn", why="this metric")
