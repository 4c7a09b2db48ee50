"""Estimators that compare rows with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking.estimators._inputs import centred, sample
from taskspace.ranking.estimators._spectrum import left_vectors
from taskspace.ranking.metrics import spearman

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.estimators._inputs import TargetLabels

_BLOCK = 1024
_DECIMALS = 12
"""Sums of the same numbers may differ beyond these; what agrees to here is a tie."""


def knn(features: ArrayLike, labels: ArrayLike | TargetLabels, *, k: int = 5) -> float:
    """Share of the rows, 0 to 1, whose class most of their ``k`` nearest other rows have, by cosine.

    ``k`` is at most the number of other rows.  Rows equally near share the last places among the k, and classes with
    equally many votes share the credit, so neither the order of rows nor of classes counts.  A row of zeros is equally
    near to all.  Where all rows are alike, all others vote, and a row is right if its class is the largest even
    without it.

    Raises :class:`DataError` as :func:`sample` has it, and :class:`SettingError` for ``k`` below 1.
    """
    if k < 1:
        raise SettingError(f"k is {k}; look at 1 neighbour at least")
    table, target = sample(features, labels, classes=True)
    unit = _unit(table.astype(np.float64))
    near = min(k, len(unit) - 1)
    credit = 0.0
    for start in range(0, len(unit), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(unit)))
        votes = np.round(_shares(unit, rows, near) @ target.columns, _DECIMALS)
        winning = votes == votes.max(axis=1, keepdims=True)
        credit += float((winning[np.arange(len(rows)), target.codes[rows]] / winning.sum(axis=1)).sum())
    return credit / len(unit)


def parc(
    features: ArrayLike,
    labels: ArrayLike | TargetLabels,
    *,
    components: int | None = 32,
    rows: int = 1000,
    seed: int = 0,
) -> float:
    """Spearman's correlation, over pairs of rows, of how unlike their features are and how unlike their labels.

    Bolya, Mittapalli and Hoffman, "Scalable Diverse Model Selection for Accessible Transfer Learning" (NeurIPS 2021),
    read in the authors' code (dbolya/parc): features are brought to their first ``components`` principal components
    and each of these to variance 1 (``None``: the features themselves); unlikeness is 1 less the correlation of two
    rows, and labels are one-hot, or the table given.  -1 to 1, where the authors multiply by 100; their components are
    approximate and ours exact.

    All pairs are compared, so of more than ``rows`` a sample drawn by ``seed`` stands for all.  A row without spread
    correlates 0 with every other.  0 where features, or labels in the sample, tell no pair from another.
    Raises :class:`DataError` as :func:`sample` has it, and :class:`SettingError` for too few rows or components.
    """
    if rows < 2 or (components is not None and components < 1):
        raise SettingError(f"{rows} rows and {components} components; take 2 rows and 1 component at least")
    table, target = sample(features, labels)
    if target.columns.shape[1] < 2:
        raise DataError("one number per row correlates with nothing; give parc classes, or a table of numbers")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(table))[:rows])
    values = centred(table[drawn])
    values = _scaled(values if components is None else _principal(values, components))
    pairs = np.triu_indices(len(drawn), 1)
    unlike = [1 - _correlations(side)[pairs] for side in (values, target.columns[drawn])]
    return float(spearman(unlike[1], unlike[0])) if all(np.ptp(side) for side in unlike) else 0.0


def _shares(unit: NDArray[np.float64], rows: NDArray[np.int64], near: int) -> NDArray[np.float64]:
    """The place float64[b, n] of each row among the ``near`` nearest of those in ``rows``: 1, 0, or part of a tie."""
    cosines = np.round(unit[rows] @ unit.T, _DECIMALS)
    cosines[np.arange(len(rows)), rows] = -np.inf
    last = np.partition(cosines, -near, axis=1)[:, -near, None]
    nearer, tied = cosines > last, cosines == last
    left = near - nearer.sum(axis=1, keepdims=True)
    return nearer + tied * (left / tied.sum(axis=1, keepdims=True))


def _principal(values: NDArray[np.float64], components: int) -> NDArray[np.float64]:
    """Coordinates float64[n, c] along the first principal components; fewer where there are fewer.

    Correlating rows of them takes their signs to mean something: each is set so that its largest weight is positive.
    """
    strengths, left = left_vectors(values)
    first = (left * np.sqrt(strengths))[:, -components:]
    weights = values.T @ first
    return first * np.sign(weights[np.abs(weights).argmax(axis=0), np.arange(weights.shape[1])])


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of standard deviation 1; those that are constant stay 0."""
    spread = values.std(axis=0)
    return np.divide(values, spread, out=np.zeros_like(values), where=spread > 0)


def _correlations(values: NDArray[Any]) -> NDArray[np.float64]:
    """Correlation float64[n, n] of each row with each other."""
    unit = _unit(centred(values.T).T)
    return np.round(unit @ unit.T, _DECIMALS)


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of length 1; those of zeros stay zeros."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
