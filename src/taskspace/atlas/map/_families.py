"""Families: what lies close together, found in the space itself and not on the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace._extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.atlas.map._directions import Directions

SAMPLE = 2_000
"""Points up to which all are compared with each other; of more, a sample."""
MOST = 8
"""Families, as many as there are colours that can be told apart."""
_FEWEST = 4
"""Points of which families can be told."""
_CUTS = 64
"""Clusters at most, those too small to be a family among them."""
_CLEAR = 0.05
"""Mean silhouette from which a cut says something; that of unrelated points is about 0."""


_AROUND = "around "


@dataclass(frozen=True)
class Family:
    """``size`` points; ``name`` is "around" and the most central of them."""

    name: str
    size: int

    @property
    def central(self) -> str:
        """The member with the largest mean cosine to the others."""
        return self.name.removeprefix(_AROUND)


def families_of(directions: Directions, *, seed: int) -> tuple[tuple[Family, ...], NDArray[np.intp]]:
    """The families, largest first, and which one each row belongs to, int[n]; -1 for none.

    Average linkage of 1 minus the cosine, cut into as many clusters as give the largest mean silhouette (Rousseeuw
    1987).  A cluster of one point, or of less than a hundredth of them, is no family, and cuts with more than eight
    families are not considered.  Where even the best cut is not clear there are no families.

    Of more than 2,000 points a sample is clustered, and each other point joins the family whose most central member is
    nearest, unless it is farther from it than any of the sample.
    """
    none = np.full(len(directions), -1, dtype=np.intp)
    if len(directions) < _FEWEST:
        return (), none
    sampled = np.arange(len(directions))
    if len(directions) > SAMPLE:
        sampled = np.sort(np.random.default_rng(seed).choice(len(directions), SAMPLE, replace=False))
    rows = directions.only(sampled).rows()
    near = np.clip((rows @ rows.T).astype(np.float64), -1.0, 1.0)
    labels = _cut(near)
    if labels is None:
        return (), none
    central = [_central(near, labels == label) for label in range(labels.max() + 1)]
    family = none.copy()
    family[sampled] = labels
    if len(sampled) < len(directions):
        least = [near[labels == label][:, middle].min() for label, middle in enumerate(central)]
        joined = _joined(directions, rows[central], np.array(least))
        family[family < 0] = joined[family < 0]
        family[sampled] = labels
    return _ordered(family, [directions.name(sampled[middle]) for middle in central])


def _cut(near: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """The labels int[n] of the best cut, -1 where a cluster is too small; None where no cut is clear."""
    hierarchy: Any = require("scipy.cluster.hierarchy", extra="plot", why="families on the map")
    far = distances(near)
    merges = hierarchy.linkage(condensed(far), method="average")
    best, chosen = _CLEAR, None
    for count in range(2, min(len(near), _CUTS + 1)):
        clusters = hierarchy.fcluster(merges, count, criterion="maxclust") - 1
        labels = _large(clusters, max(2, len(near) // 100))
        if 0 <= labels.max() < MOST and (score := float(silhouettes(far, clusters).mean())) > best:
            best, chosen = score, labels
    return chosen


def distances(near: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 minus the cosines, exactly symmetric and zero with itself."""
    far = 1.0 - (near + near.T) / 2
    np.fill_diagonal(far, 0.0)
    return np.maximum(far, 0.0)


def condensed(far: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper triangle row by row, as scipy takes distances."""
    return far[np.triu_indices(len(far), 1)]


def silhouettes(far: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """float64[n] from distances float64[n, n]: (b - a) / max(a, b), with a the mean distance to the own cluster and b
    that to the nearest other one; 0 for a point alone, and where there is no other cluster (Rousseeuw 1987).
    """
    if not labels.any():
        return np.zeros(len(labels))
    members = np.eye(labels.max() + 1)[labels]
    sizes, place = members.sum(axis=0), np.arange(len(labels))
    sums = far @ members
    own = sums[place, labels] / np.maximum(sizes[labels] - 1, 1)
    sums = sums / sizes
    sums[place, labels] = np.inf
    other = sums.min(axis=1)
    widest = np.maximum(own, other)
    score = np.divide(other - own, widest, out=np.zeros(len(labels)), where=widest > 0)
    return np.where(sizes[labels] > 1, score, 0.0)


def _large(labels: NDArray[np.intp], least: int) -> NDArray[np.intp]:
    """Labels counted anew among the clusters of ``least`` points or more, -1 in smaller ones."""
    large = np.bincount(labels) >= least
    return np.where(large, np.cumsum(large) - 1, -1)[labels]


def _central(near: NDArray[np.float64], members: NDArray[np.bool_]) -> int:
    """The place of the member with the largest mean cosine to the others."""
    inside = np.flatnonzero(members)
    return int(inside[near[np.ix_(inside, inside)].sum(axis=1).argmax()])


def _joined(directions: Directions, middles: NDArray[np.float32], least: NDArray[np.float64]) -> NDArray[np.intp]:
    """int[n]: the family with the nearest middle, -1 where that is less near than ``least``."""
    close = directions.cosines(middles)
    found = close.argmax(axis=0)
    return np.where(close.max(axis=0) >= least[found], found, -1)


def _ordered(family: NDArray[np.intp], middles: Sequence[str]) -> tuple[tuple[Family, ...], NDArray[np.intp]]:
    """Largest first; of equal size by name."""
    sizes = [int((family == label).sum()) for label in range(len(middles))]
    order = sorted(range(len(middles)), key=lambda label: (-sizes[label], middles[label]))
    place = np.array([*np.argsort(order), -1])
    return tuple(Family(_AROUND + middles[label], sizes[label]) for label in order), place[family]
