"""What a source is worth whatever the target: the baseline that every signal has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.history.scale import seen_by
from taskspace.ranking.history.transfers import mean_over

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


def mean_worth(known: NDArray[np.float64], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64[sources]: mean over targets of ``known`` float64[sources, targets] where not ``own``; 0 without any."""
    return np.nan_to_num(mean_over(np.where(own, np.nan, known), axis=1), nan=0.0)
