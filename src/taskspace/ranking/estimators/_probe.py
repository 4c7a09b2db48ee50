"""The linear probe: what a regularised linear model on the frozen features gets right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.estimators._inputs import centred, sample
from taskspace.ranking.estimators._ridge import LeaveOneOut

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.estimators._inputs import TargetLabels


def linear_probe(features: ArrayLike, labels: ArrayLike | TargetLabels) -> float:
    """Share of the rows, 0 to 1, that ridge regression on all other rows puts in their class.

    Ours.  One regression with an intercept per class, one-hot; the largest wins, the first of equals.  The penalty is
    that of :data:`RIDGES` with the least leave-one-out squared error.  Class shares are those of all rows: the mean of
    the others has one row less of the class in question and would vote against it, so that features without meaning
    would get 0 of two equal classes right.  As it is, constant features score the share of the largest class (of the
    first where all are equally large).

    For numbers, the mean over columns of 1 less the squared error against that of the mean of the other rows: 1 at
    best, 0 for constant features.  Raises :class:`DataError` as :func:`sample` has it.
    """
    table, target = sample(features, labels)
    columns = centred(target.columns)
    _, errors = LeaveOneOut(centred(table), columns).best()
    alone = columns * (len(columns) / (len(columns) - 1))
    if not target.are_classes:
        return float(np.mean(1 - _squares(errors) / _squares(alone)))
    # A prediction is label - error; label - mean of the others, less label - mean of all, moves it to the latter.
    scores = target.columns - errors + alone - columns
    return float((_first_largest(scores) == target.codes).mean())


def _squares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("ij,ij->j", values, values)


def _first_largest(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Column of the largest score float64[n, c], the first of those that agree to rounding."""
    return np.asarray(np.round(scores, 12).argmax(axis=1))
