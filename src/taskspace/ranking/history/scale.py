"""One scale for what was measured on different targets: standard deviations over the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from taskspace.ranking.history.transfers import mean_over

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from taskspace.ranking.history.transfers import Transfers

_NOTHING = 1e-9
"""Spreads below this share of the largest size are rounding."""
_ZERO = 1e-12
"""So are spreads below this whatever the size, for gains that are all about 0."""


def standardised(values: NDArray[np.float64], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``values`` float64[sources, targets], column by column in standard deviations over the foreign sources.

    NaN stays, and a column with fewer than two foreign values becomes NaN: it orders nothing.  A source that is the
    target itself (``own`` bool[sources, targets]) stands on the same scale but does not set it.
    """
    foreign = np.where(own, np.nan, values)
    centred = values - mean_over(foreign, axis=0)
    spread = np.sqrt(mean_over(np.where(own, np.nan, centred) ** 2, axis=0))
    flat = np.where(np.isnan(centred), np.nan, 0.0)
    varied = spread > _rounding(foreign)
    scaled = np.where(varied, centred / np.where(varied, spread, 1.0), flat)
    return np.where((~np.isnan(foreign)).sum(axis=0) > 1, scaled, np.nan)


def seen_by(transfers: Transfers, target: str, near: Iterable[str] = ()) -> NDArray[np.float64]:
    """float64[sources, targets]: the standardised benefit of each source, as far as ``target`` may know it.

    NaN in the columns of the target and of its near-duplicates ``near``, and in the row of the target as a source,
    which sets no scale either: nothing measured on the target or with it has a say.
    """
    hidden = {target, *near}
    columns = [name in hidden for name in transfers.targets]
    rows = [name == target for name in transfers.sources]
    benefit = transfers.benefit.copy()
    benefit[:, columns] = np.nan
    benefit[rows] = np.nan
    return standardised(benefit, transfers.self_cells)


def z_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """In standard deviations from the mean; zeros where all are equal."""
    spread = float(values.std()) if len(values) else 0.0
    return (values - values.mean()) / spread if spread > _rounding(values) else np.zeros(len(values))


def _rounding(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest spread, column by column, that is only rounding; NaN has no say."""
    return np.maximum(_NOTHING * np.fmax.reduce(np.abs(values), axis=0, initial=0.0), _ZERO)
