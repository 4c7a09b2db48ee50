"""TaskShop: from a source to a target by way of tasks that the source was measured on (Kim et al. 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking.history.prior import mean_worth
from taskspace.ranking.history.scale import seen_by, z_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.history.transfers import Transfers


def task_shop(
    transfers: Transfers,
    target: str,
    similarity: ArrayLike,
    to_pivots: ArrayLike,
    pivots: Sequence[str],
    weight: float = 0.7,
) -> NDArray[np.float64]:
    """float64[sources]: λ · mean_p ½(T[s, p] + F[p, t]) + (1 - λ) · F[s, t] over the pivots p other than s and t.

    T is the measured benefit, F any cheap similarity: ``similarity`` float64[sources] and ``to_pivots``
    float64[pivots], of the target to each, the target's own ignored.  ``weight`` is λ.  T is in standard deviations
    over the sources of a pivot and F in those over the sources or pivots, so that both have one scale.

    T is averaged over the pivots that a source was measured on, F over all of them: a source gains nothing by having
    been measured on pivots that resemble the target, so F[p, t] tells sources apart only in so far as a source that
    is a pivot cannot be its own.  On a complete table the score is thus close to half prior, half similarity.  A
    source measured on no pivot has T = 0, the average; where no source was measured on any pivot, pivots say nothing
    and the score is the standardised similarity alone.

    Raises :class:`DataError` for similarities that do not fit or hold NaN, :class:`SettingError` for a ``weight``
    outside [0, 1].
    """
    if not 0 <= weight <= 1:
        raise SettingError(f"weight={weight:g} is not a share; give one between 0 and 1")
    direct = _scaled(similarity, transfers.sources, target, "sources")
    nearness = _scaled(to_pivots, pivots, target, "pivots")
    passed = [t in set(pivots) for t in transfers.targets]
    known = np.where(passed, seen_by(transfers, target), np.nan)
    if np.isnan(known).all():
        return direct
    worth = mean_worth(known, transfers.self_cells)
    usable = np.array([[p not in (s, target) for p in pivots] for s in transfers.sources], dtype=np.float64)
    near = usable @ nearness / np.maximum(usable.sum(axis=1), 1)
    return weight * (worth + near) / 2 + (1 - weight) * direct


def _scaled(values: ArrayLike, names: Sequence[str], target: str, what: str) -> NDArray[np.float64]:
    """In standard deviations over the names other than the target, which scores 0."""
    given = np.asarray(values, dtype=np.float64)
    foreign = np.array([name != target for name in names], dtype=np.bool_)
    if given.shape != foreign.shape:
        raise DataError(f"similarities of shape {given.shape} do not fit {len(names)} {what}; give one for each")
    if not np.isfinite(given[foreign]).all():
        raise DataError(f"the similarity of the target to some {what} is not a finite number; leave those out")
    scaled = np.zeros(len(names))
    scaled[foreign] = z_scores(given[foreign])
    return scaled
