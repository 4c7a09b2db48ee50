"""Map: a whole space in two dimensions, with what it keeps of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.atlas.map._directions import Directions, places_of, telling
from taskspace.atlas.map._families import Family, families_of
from taskspace.atlas.map._kept import in_words, neighbourhood, share_kept
from taskspace.atlas.map._projections import Method, checked_method, projected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import Kind


@dataclass(frozen=True, eq=False)
class Map:
    """Everything of one space in two dimensions.

    ``points`` float32[n, 2] beside ``names``, ``kinds`` and ``informative`` bool[n].  ``family`` int[n] is a place in
    ``families``, largest first, or -1.  ``kept`` is the mean share of a point's ``neighbours`` nearest in the space
    that are among as many nearest on the map, over ``kept_of`` points; None where nothing has a neighbour.
    ``explained``, with PCA, is the share of the variance along either axis.
    """

    method: Method
    points: NDArray[np.float32]
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    informative: NDArray[np.bool_]
    families: tuple[Family, ...]
    family: NDArray[np.intp]
    kept: float | None
    kept_of: int
    neighbours: int
    explained: tuple[float, float] | None
    generation: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def chance(self) -> float | None:
        """What a map that puts everything at random would keep."""
        others = int(self.informative.sum()) - 1
        return self.neighbours / others if others > 0 else None

    @property
    def trust(self) -> str:
        """How far to trust the map, in words; empty where there is nothing to keep."""
        return in_words(self.kept, self.neighbours, self.chance)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``json.dumps`` takes, a list per column, rounded to 4 decimals."""
        kinds = list(dict.fromkeys(self.kinds))
        place = {kind: i for i, kind in enumerate(kinds)}
        return {
            "generation": self.generation,
            "method": self.method,
            "neighbours": self.neighbours,
            "kept": _rounded(self.kept),
            "kept_of": self.kept_of,
            "chance": _rounded(self.chance),
            "explained": None if self.explained is None else [_rounded(share) for share in self.explained],
            "names": list(self.names),
            "kinds": kinds,
            "kind": [place[kind] for kind in self.kinds],
            "x": self.points[:, 0].astype(np.float64).round(4).tolist(),
            "y": self.points[:, 1].astype(np.float64).round(4).tolist(),
            "informative": self.informative.astype(int).tolist(),
            "families": [asdict(family) for family in self.families],
            "family": self.family.tolist(),
        }


def map_of(
    matrix: Matrix, *, method: str = "pca", seed: int = 0, neighbours: int = 10, kind: Kind | None = None
) -> Map:
    """The map of a space, or of one ``kind`` in it, by ``method``: "pca", "mds" or "umap".

    Every block of every vector is divided by its length first, so that the map shows what ``near`` ranks by: the mean
    of the cosines over the blocks.  What says nothing has no direction, and stands in a row below everything else.

    Of fewer points than twice ``neighbours`` at most half of the others count as neighbours.  Raises
    :class:`SettingError` for an unknown method or too many points for it, :class:`MissingExtra` without its package.
    """
    chosen = checked_method(method)
    rows = [row for row in matrix.rows if kind in (None, row.kind)]
    said = telling(matrix)[places_of(matrix, kind)]
    directions = Directions(matrix, places_of(matrix, kind)[said])
    used, found, explained = projected(directions, chosen, seed=seed)
    k = neighbourhood(len(directions), neighbours)
    kept, kept_of = share_kept(directions, found, k, seed=seed)
    families, joined = families_of(directions, seed=seed)
    family = np.full(len(rows), -1, dtype=np.intp)
    family[said] = joined
    return Map(
        method=used, points=_with_the_silent(found, said), names=tuple(row.name for row in rows),
        kinds=tuple(row.kind for row in rows), informative=said, families=families, family=family,
        kept=kept, kept_of=kept_of, neighbours=k, explained=explained, generation=matrix.generation,
    )  # fmt: skip


def _with_the_silent(found: NDArray[np.float32], said: NDArray[np.bool_]) -> NDArray[np.float32]:
    """float32[n, 2]: what was projected, and the others evenly in a row a tenth of the map's width below it."""
    points = np.zeros((len(said), 2), dtype=np.float32)
    points[said] = found
    silent = int((~said).sum())
    low, high = (found.min(axis=0), found.max(axis=0)) if len(found) else (np.zeros(2), np.zeros(2))
    width = float((high - low).max()) or 1.0
    middle = float(low[0] + high[0]) / 2
    points[~said, 0] = np.linspace(middle - width / 2, middle + width / 2, silent + 2)[1:-1]
    points[~said, 1] = low[1] - width / 10
    return points


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
