"""The cells of a sparse table that nobody measured, from those of tasks like theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.history.neighbourhood import BANDWIDTH, regressed
from taskspace.ranking.history.scale import standardised
from taskspace.ranking.history.transfers import mean_over

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from taskspace.ranking.history.transfers import Transfers


def complete(
    transfers: Transfers,
    among_targets: ArrayLike,
    among_sources: ArrayLike | None = None,
    bandwidth: float = BANDWIDTH,
) -> NDArray[np.float64]:
    """float64[sources, targets]: benefit in standard deviations of each target, measured where it was, else predicted.

    A missing cell is the mean of two views, those there are: what its source was worth for targets like its target,
    and what sources like its source were worth for its target, each a kernel regression as in
    :func:`~taskspace.ranking.history.neighbours`.  ``among_targets`` float64[targets, targets] and ``among_sources``
    float64[sources, sources] are similarities, row by row, the diagonal unused; without the second there is one view.
    0, the average, where neither view knows anything.  The idea is that of a bank of measured tasks (AutoTransfer;
    Cao et al. 2023), without its training.

    Raises :class:`DataError` for similarities that do not fit.
    """
    known = standardised(transfers.benefit, transfers.self_cells)
    views = [_along(known, _square(among_targets, len(transfers.targets), "targets"), bandwidth)]
    if among_sources is not None:
        views.append(_along(known.T, _square(among_sources, len(transfers.sources), "sources"), bandwidth).T)
    predicted = np.nan_to_num(mean_over(np.stack(views), axis=0), nan=0.0)
    return np.where(np.isnan(known), predicted, known)


def _along(known: NDArray[np.float64], similarity: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Each column of ``known`` from the others, by their similarity to it."""
    others = np.where(np.eye(len(similarity), dtype=np.bool_), np.nan, similarity)
    return np.array([regressed(known, row, bandwidth) for row in others]).reshape(known.T.shape).T


def _square(similarity: ArrayLike, n: int, what: str) -> NDArray[np.float64]:
    values = np.asarray(similarity, dtype=np.float64)
    if values.shape != (n, n) or np.isinf(values).any():
        raise DataError(
            f"similarities of shape {values.shape} among {n} {what} do not fit or are infinite; give [{n}, {n}]"
        )
    return values
