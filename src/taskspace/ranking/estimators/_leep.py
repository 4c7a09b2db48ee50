"""LEEP and NCE: what the answers of a source model say of the target's labels.

Neither needs features, only answers, so they serve a black box too: an API, or a language model with a prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.estimators._inputs import numbers, require_classes, sample, target_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.estimators._inputs import TargetLabels

_ASTRAY = 0.01
"""How far a row may be from a sum of 1: half precision rounds, scores that are no probabilities do not come near."""


def leep(probabilities: ArrayLike, labels: ArrayLike | TargetLabels, *, over_prior: bool = False) -> float:
    """Mean log likelihood in nats of the labels, when each answer z of the source is read as P(y|z).

    Nguyen, Hassner, Seeger and Archambeau, "LEEP" (ICML 2020, arXiv 2002.12462), eq. 2, read in public code.
    ``probabilities`` [n, z] are the source's for each row.  0 for a source that knows the labels, -H(Y) for one whose
    answers do not vary.  ``over_prior`` adds H(Y): a gain over knowing the class shares only, which can be compared
    across targets.  Answers that are never given have no P(y|z) and are left out, where the formula divides by zero.

    Raises :class:`DataError` for rows that are no probabilities, or labels that are no classes.
    """
    table, target = sample(probabilities, labels, classes=True, what="probabilities")
    answers = _as_shares(table)
    joint = target.columns.T @ answers
    given = joint.sum(axis=0)
    read = np.divide(joint, given, out=np.zeros_like(joint), where=given > 0)
    likelihood = np.einsum("iz,iz->i", answers, read[target.codes])
    return _score(float(np.log(likelihood).mean()), target, over_prior)


def nce(source: ArrayLike, labels: ArrayLike | TargetLabels, *, over_prior: bool = False) -> float:
    """-H(Y|Z) in nats, with Z the one answer of the source to each row: 0 where it tells the label.

    Tran, Nguyen and Hassner, "Transferability and Hardness of Supervised Classification Tasks" (ICCV 2019, arXiv
    1908.08142).  ``source`` are whole-number answers [n], each value an answer of its own, -1 too; or probabilities
    [n, z], of which the largest is the answer (the first of equals).  ``over_prior`` adds H(Y), which gives the mutual
    information.  Pairs that do not occur add nothing, so no ε is needed.
    """
    target = target_labels(labels)
    chosen = numbers(source, "answers")
    if chosen.ndim == 2:
        table, _ = sample(chosen, target, classes=True, what="probabilities")
        answers = _as_shares(table).argmax(axis=1)
    else:
        answers = _as_answers(chosen, target)
    joint = np.zeros((answers.max() + 1, target.codes.max() + 1))
    np.add.at(joint, (answers, target.codes), 1 / len(answers))
    given = joint / np.maximum(joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return _score(float(joint[joint > 0] @ np.log(given[joint > 0])), target, over_prior)


def label_entropy(labels: ArrayLike | TargetLabels) -> float:
    """H(Y) in nats of the classes among the labelled rows; raises :class:`DataError` for numbers."""
    target = target_labels(labels)
    require_classes(target)
    shares = target.counts / len(target.codes)
    return float(-(shares @ np.log(shares)))


def _score(likelihood: float, target: TargetLabels, over_prior: bool) -> float:
    found = min(likelihood, 0.0) + 0.0  # a perfect source may come out above by rounding
    return found + label_entropy(target) if over_prior else found


def _as_shares(table: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = table.sum(axis=1, dtype=np.float64)
    astray = np.abs(sums - 1)
    if table.min() < 0 or astray.max() > _ASTRAY:
        row = int(np.where(table.min(axis=1) < 0, np.inf, astray).argmax())
        raise DataError(
            f"labelled row {row} of the probabilities holds {table[row].min():g} to {table[row].max():g} and sums to "
            f"{sums[row]:g}; give class probabilities"
        )
    return table / sums[:, None]


def _as_answers(chosen: NDArray[np.int64], target: TargetLabels) -> NDArray[np.int64]:
    table, _ = sample(chosen.reshape(-1, 1), target, classes=True, what="answers")
    if table.dtype.kind not in "iub":
        raise DataError("the source's answers are numbers with a point; give whole-number codes, or probabilities")
    return np.unique(table[:, 0], return_inverse=True)[1]
