"""How good the decision whether to transfer is, and what is said about it: helps or not, how probably, between what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.metrics._columns import aligned, columns
from taskspace.ranking.metrics._orders import mean_ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def auc_helps(truth: ArrayLike, scores: ArrayLike, *, baseline: float = 0.0) -> float:
    """Chance that a candidate that helps scores above one that does not: the area under the ROC curve.

    One helps whose truth is above ``baseline``, what is had without transfer: 0 for gains.  Equal scores count half,
    their mean over the orders.  0.5, as for chance, where all help or none does: there is nothing to tell apart.
    """
    worth, given = columns(truth, scores)
    if not np.isfinite(baseline):
        raise DataError(f"the baseline is {baseline}; measure what is had without transfer")
    helps = worth > baseline
    many = int(helps.sum())
    pairs = many * (len(helps) - many)
    wrong = float(mean_ranks(given)[helps].sum()) - many * (many + 1) / 2
    return 1 - wrong / pairs if pairs else 0.5


def brier(probabilities: ArrayLike, happened: ArrayLike) -> float:
    """Mean squared difference between what was said, float64[n] in [0, 1], and what happened, 0 or 1 (Brier 1950).

    0 is perfect; always saying 1/2 gets 0.25.  Raises :class:`DataError` for what is no probability or no yes or no.
    """
    said, seen = aligned(probabilities=probabilities, happened=happened)
    if said.min() < 0 or said.max() > 1:
        raise DataError(f"probabilities run from {said.min():g} to {said.max():g}; give them between 0 and 1")
    if not np.isin(seen, (0, 1)).all():
        raise DataError("happened holds other values than 0 and 1; say whether each did happen")
    return float(np.mean((said - seen) ** 2))


def coverage(low: ArrayLike, high: ArrayLike, truth: ArrayLike) -> float:
    """Share of truths within their intervals, the ends included; honest 90 % intervals get about 0.9, not more.

    The ends may be infinite.  Raises :class:`DataError` for an interval that ends below its start.
    """
    below, above, worth = aligned(low=low, high=high, truth=truth)
    if turned := int((below > above).sum()):
        raise DataError(f"{turned} of {len(below)} intervals end below their start; give low, then high")
    return float(np.mean((below <= worth) & (worth <= above)))
