"""What a source was worth for the tasks most like the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError, SettingError
from taskspace.ranking.history.scale import seen_by, z_scores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.history.transfers import Transfers

BANDWIDTH = 0.5
"""Standard deviations of similarity by which a weight falls to 1/e: of a dozen tasks the nearest few decide."""


def neighbours(
    transfers: Transfers,
    target: str,
    similarity: Mapping[str, float] | ArrayLike,
    bandwidth: float = BANDWIDTH,
    *,
    near: Iterable[str] = (),
) -> NDArray[np.float64]:
    """float64[sources]: standardised benefit of each source, averaged over the targets measured before by likeness.

    ``similarity`` of the target to them, by name or as float64[targets]; those without one (not named, or NaN) have no
    say.  What the target may not see is left out as in :func:`~taskspace.ranking.history.source_prior`, but a
    source's score on its own target counts, as evidence that it serves tasks like that; give ``transfers.foreign`` to
    do without.  0, the average, for a source that none of them was measured with.

    Raises :class:`DataError` for similarities that do not fit, :class:`SettingError` for a ``bandwidth`` of 0 or less.
    """
    if isinstance(similarity, Mapping):
        likeness = np.array([similarity.get(name, np.nan) for name in transfers.targets], dtype=np.float64)
    else:
        likeness = np.asarray(similarity, dtype=np.float64)
    if likeness.shape != (len(transfers.targets),) or np.isinf(likeness).any():
        raise DataError(
            f"similarities of shape {likeness.shape} to {len(transfers.targets)} targets do not fit or are infinite; "
            "give a finite number for each, or NaN"
        )
    return np.nan_to_num(regressed(seen_by(transfers, target, near), likeness, bandwidth), nan=0.0)


def regressed(
    known: NDArray[np.float64], likeness: NDArray[np.float64], bandwidth: float = BANDWIDTH
) -> NDArray[np.float64]:
    """float64[sources]: Σ_p w_p known[s, p] / Σ_p w_p over the tasks p for which s was measured; NaN without any.

    w_p = exp(z_p / bandwidth), z the ``likeness`` float64[tasks] in standard deviations over the tasks that are known
    at all: a kernel regression over tasks (Nadaraya 1964, Watson 1964), as memory-based collaborative filtering has
    it.  A wide bandwidth gives the mean over tasks, a narrow one the order measured on the nearest.
    """
    if not bandwidth > 0:
        raise SettingError(f"bandwidth={bandwidth:g} gives no weights; give more than 0")
    asked = np.flatnonzero(~np.isnan(known).all(axis=0) & ~np.isnan(likeness))
    known, z = known[:, asked], z_scores(likeness[asked]) / bandwidth
    measured = ~np.isnan(known)
    # A source is weighed from its own nearest task: otherwise one measured on far tasks only has no weights left.
    nearest = np.where(measured, z, -np.inf).max(axis=1, initial=-np.inf)
    lag = np.where(measured, z - np.where(np.isfinite(nearest), nearest, 0.0)[:, None], -np.inf)
    weights = np.exp(lag)
    total = weights.sum(axis=1)
    summed = (weights * np.where(measured, known, 0.0)).sum(axis=1)
    return np.divide(summed, total, out=np.full(len(known), np.nan), where=total > 0)
