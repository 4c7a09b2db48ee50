"""How true a map is: the share of neighbourhoods that it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from taskspace.atlas.map._directions import Directions

ALL_UP_TO, SAMPLE = 2_000, 500
"""Points up to which every neighbourhood is compared, and how many of more."""

_BYTES = 128_000_000
"""Of cosines that are held at one time."""

_TIED = 1e-6
"""Cosines, and distances against the width of the map, that float32 cannot tell apart."""


def neighbourhood(count: int, neighbours: int) -> int:
    """How many neighbours to look at among ``count`` points: at most half of the others, since all are always kept."""
    return min(neighbours, max((count - 1) // 2, int(count > 1)))


def share_kept(directions: Directions, points: NDArray[np.float32], k: int, *, seed: int) -> tuple[float | None, int]:
    """The mean share of a point's ``k`` nearest in the space that are among its ``k`` nearest on the map.

    The second number says of how many points.  Of equally near ones the earlier counts as nearer, in the space as on
    the map.  None where nothing has a neighbour.
    """
    if k < 1:
        return None, 0
    asked = np.arange(len(directions))
    if len(directions) > ALL_UP_TO:
        asked = np.sort(np.random.default_rng(seed).choice(len(directions), SAMPLE, replace=False))
    cosines = directions.cosines(directions.only(asked).rows())
    width = float(np.ptp(points, axis=0).max())
    kept = 0
    for row, place in enumerate(asked):
        far = np.hypot(*(points - points[place]).T.astype(np.float64))
        here = nearest(cosines[row], k, without=int(place), tied=_TIED)
        there = nearest(-far, k, without=int(place), tied=_TIED * width)
        kept += len(np.intersect1d(here, there, assume_unique=True))
    return kept / (k * len(asked)), len(asked)


def in_words(kept: float | None, k: int, chance: float | None) -> str:
    """What a map keeps, beside what chance would; empty where there is nothing to keep."""
    if kept is None or chance is None:
        return ""
    near = f"{k} nearest" if k > 1 else "nearest"
    return f"keeps {percent(kept)} of each point's {near} (chance: {percent(chance)})"


def percent(share: float) -> str:
    """A share as readers say it, with more digits where it is small."""
    digits = 0 if share >= 0.0995 or share < 0.00005 else 1 if share >= 0.001 else 2
    return f"{share:.{digits}%}"


def neighbours_of(directions: Directions, k: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Per row the places of its ``k`` nearest others, best first, and their cosines; every pair is compared."""
    k = min(k, len(directions) - 1)
    step = max(1, _BYTES // (4 * max(len(directions), 1)))
    for start in range(0, len(directions), step):
        rows = directions.rows(slice(start, start + step))
        for place, cosines in enumerate(directions.cosines(rows), start):
            found = np.sort(nearest(cosines, k, without=place)) if k > 0 else np.zeros(0, dtype=np.intp)
            found = found[np.argsort(-cosines[found], kind="stable")]
            yield found, cosines[found]


def nearest(closeness: NDArray[np.floating], k: int, *, without: int, tied: float = _TIED) -> NDArray[np.intp]:
    """The places of the ``k`` largest numbers but one, in no order; of those ``tied`` with the last the earliest."""
    close = closeness.astype(np.float64)
    close[without] = -np.inf
    last = np.partition(close, -k)[-k]
    sure = np.flatnonzero(close > last + tied)
    level = np.flatnonzero((close >= last - tied) & (close <= last + tied))
    return np.concatenate([sure, level[: k - len(sure)]])
