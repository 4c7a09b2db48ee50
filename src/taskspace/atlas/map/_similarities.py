"""Similarities: everything against everything, in an order that puts the alike beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require
from taskspace.atlas.map._directions import Directions, places_of, telling
from taskspace.atlas.map._families import condensed, distances
from taskspace.atlas.map._order import leaf_order, turned
from taskspace.errors import SettingError, UnknownName, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import Kind

_PAIR = 2


@dataclass(frozen=True, eq=False)
class Similarities:
    """``values`` float64[m, m]: cosines, the mean over blocks; names and kinds in clustered order.

    ``merges`` float64[m - 1, 4] are scipy's linkage rows (average linkage of 1 minus the cosine) over that order: two
    clusters, the height at which they join, and how many they hold; drawn as they are, leaves stand in the order of
    ``names``.  ``of`` is how many there were to choose from.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    values: NDArray[np.float64]
    merges: NDArray[np.float64]
    of: int

    def __len__(self) -> int:
        return len(self.names)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes, rounded to 4 decimals."""
        return {
            "names": list(self.names),
            "kinds": list(self.kinds),
            "values": self.values.round(4).tolist(),
            "merges": [[int(a), int(b), round(height, 4), int(n)] for a, b, height, n in self.merges.tolist()],
            "of": self.of,
        }


def similarities(
    matrix: Matrix,
    names: Sequence[str] | None = None,
    *,
    limit: int = 200,
    seed: int = 0,
    kind: Kind | None = None,
) -> Similarities:
    """The cosines of ``names`` with each other, or of everything, of one ``kind`` maybe, that says something.

    Of more than ``limit`` a sample is drawn by ``seed``; more names than that are refused.  The order is the one in
    which neighbours are most alike among all that the clustering allows.

    Raises :class:`UnknownName`, :class:`SettingError`, or :class:`MissingExtra` without scipy.
    """
    places = _all(matrix, kind, limit, seed) if names is None else _named(matrix, names, limit)
    rows = Directions(matrix, places).rows()
    near = np.clip((rows @ rows.T).astype(np.float64), -1.0, 1.0)
    near = (near + near.T) / 2
    np.fill_diagonal(near, [float(matrix.norms[place].any()) for place in places])
    order, merges = _clustered(near)
    chosen = [matrix.rows[place] for place in places[order]]
    return Similarities(
        tuple(row.name for row in chosen), tuple(row.kind for row in chosen), near[np.ix_(order, order)], merges,
        len(places_of(matrix, kind)),
    )  # fmt: skip


def _all(matrix: Matrix, kind: Kind | None, limit: int, seed: int) -> NDArray[np.intp]:
    places = places_of(matrix, kind)
    places = places[telling(matrix)[places]]
    if len(places) <= limit:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, limit, replace=False))


def _named(matrix: Matrix, names: Sequence[str], limit: int) -> NDArray[np.intp]:
    wanted = list(dict.fromkeys(names))
    if len(wanted) > limit:
        raise SettingError(f"{len(wanted)} names were given to compare with each other; give at most {limit}")
    place = {row.name: i for i, row in enumerate(matrix.rows)}
    for name in wanted:
        if name not in place:
            raise UnknownName(f"there is no {name!r} in that space{did_you_mean(name, place)}")
    return np.array([place[name] for name in wanted], dtype=np.intp)


def _clustered(near: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The order of the leaves, and linkage rows whose leaves are places in that order."""
    if len(near) < _PAIR:
        return np.arange(len(near)), np.zeros((0, 4))
    hierarchy: Any = require("scipy.cluster.hierarchy", extra="plot", why="ordering by likeness")
    far = distances(near)
    merges = np.asarray(hierarchy.linkage(condensed(far), method="average"), dtype=np.float64)
    order = leaf_order(merges, far)
    return order, turned(merges, order)
