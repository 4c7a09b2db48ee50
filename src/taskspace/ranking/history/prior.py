"""What a source is worth whatever the target: the baseline that every signal has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.history.scale import seen_by
from taskspace.ranking.history.transfers import mean_over
from taskspace.ranking.metrics import mean_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from taskspace.ranking.history.transfers import Transfers


def source_prior(transfers: Transfers, target: str, *, near: Iterable[str] = ()) -> NDArray[np.float64]:
    """float64[sources]: mean benefit of each source on the other targets, in standard deviations of each.

    Left out are the target, as a target and as a source, its near-duplicates ``near`` as targets, and every source on
    its own target.  0, the average, for a source that was never measured elsewhere.
    """
    return mean_worth(seen_by(transfers, target, near), transfers.self_cells)


def rank_prior(transfers: Transfers, target: str, *, near: Iterable[str] = ()) -> NDArray[np.float64]:
    """As :func:`source_prior`, in ranks: the mean share of a target's sources that each one beats, less a half (ours).

    The share is of all foreign sources measured on that target, itself among them; itself and its equals it beats by
    half.  So the best of n has ½ - 1/2n: it is worth the more, the more sources it beat.

    A source that once collapsed, or once was lucky, loses or gains a place on one target, and not the deviations of
    ten others.
    """
    known = np.where(transfers.self_cells, np.nan, seen_by(transfers, target, near))
    shares = np.full(known.shape, np.nan)
    for column, place in zip(known.T, shares.T, strict=True):
        there = ~np.isnan(column)
        place[there] = 0.5 - (mean_ranks(column[there]) - 0.5) / max(there.sum(), 1)
    return np.nan_to_num(mean_over(shares, axis=1), nan=0.0)


def mean_worth(known: NDArray[np.float64], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64[sources]: mean over targets of ``known`` float64[sources, targets] where not ``own``; 0 without any."""
    return np.nan_to_num(mean_over(np.where(own, np.nan, known), axis=1), nan=0.0)
