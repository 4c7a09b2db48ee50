"""Two dimensions for many: PCA, metric MDS and UMAP behind one call."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from taskspace._extras import require
from taskspace.atlas.map._kept import neighbours_of
from taskspace.atlas.map._principal import Principal, coordinates, principal
from taskspace.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.atlas.map._directions import Directions

Method = Literal["pca", "mds", "umap"]
METHODS: tuple[Method, ...] = get_args(Method)

MOST_FOR_MDS = 1_000
"""Points whose distances, all of them with each other, metric MDS can go through some hundred times."""

_FLAT = 3
"""So many points lie in a plane: every method would draw what PCA draws."""
_NEIGHBOURS = 15
_REDUCED, _REDUCED_FROM = 64, 5_000
"""UMAP of more points than the latter looks for neighbours among so many principal components."""


def checked_method(method: str) -> Method:
    """The method of that name, or a sentence."""
    if method not in METHODS:
        raise SettingError(f"there is no projection {method!r}{did_you_mean(method, METHODS)}")
    return method


def projected(
    directions: Directions, method: Method, *, seed: int
) -> tuple[Method, NDArray[np.float32], tuple[float, float] | None]:
    """The method used, float32[n, 2], and with PCA the share of the variance along either axis.

    Up to three points lie in a plane, so that PCA draws them as they are, whichever method was asked for.  Raises
    :class:`SettingError` where there are too many points for MDS, :class:`MissingExtra` without a package.
    """
    if method == "mds" and len(directions) > MOST_FOR_MDS:
        raise SettingError(
            f"mds compares every pair and takes at most {MOST_FOR_MDS:,} points, not {len(directions):,};"
            " choose pca or umap"
        )
    found = principal(directions, seed=seed)
    flat = coordinates(directions, found)
    if method == "mds" and len(directions) > _FLAT:
        return "mds", _mds(directions, flat, seed), None
    if method == "umap" and len(directions) > _FLAT:
        return "umap", _umap(directions, flat, seed), None
    return "pca", flat, _shares(found)


def _shares(found: Principal) -> tuple[float, float]:
    first, second = found.explained
    return float(first), float(second)


def _mds(directions: Directions, start: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Metric MDS by SMACOF of 1 minus the cosine, begun at the principal components."""
    manifold = require("sklearn.manifold", extra="sklearn", why="a map by mds")
    rows = directions.rows()
    far = 1.0 - np.clip(rows @ rows.T, -1.0, 1.0).astype(np.float64)
    np.fill_diagonal(far, 0.0)
    points, _ = manifold.smacof(
        (far + far.T) / 2, n_components=2, init=start.astype(np.float64), n_init=1, random_state=seed,
        normalized_stress=False,
    )  # fmt: skip
    return _centred(points)


def _umap(directions: Directions, start: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """UMAP by cosine, begun at the principal components, on one thread so that a seed says it all.

    Neighbours among up to some thousand points are found here, all of them: umap would call Python once per pair.
    """
    umap: Any = require("umap", extra="umap", why="a map by umap")
    count = min(_NEIGHBOURS, len(directions) - 1)
    few = len(directions) <= _REDUCED_FROM
    model = umap.UMAP(
        n_neighbors=count, metric="cosine", random_state=seed, n_jobs=1, init=_spread(start),
        precomputed_knn=_neighbours(directions, count) if few else (None, None, None),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba and of points without neighbours: the share kept says it in full
        return _centred(model.fit_transform(start if few else _reduced(directions, seed)))


def _neighbours(directions: Directions, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32], None]:
    """As umap takes them: places int32[n, k] and distances float32[n, k], every point its own first neighbour."""
    found = list(neighbours_of(directions, count - 1))
    places = np.column_stack([np.arange(len(found)), np.array([near for near, _ in found])])
    far = np.column_stack([np.zeros(len(found)), 1.0 - np.array([cosines for _, cosines in found])])
    return places.astype(np.int32), np.maximum(far, 0.0).astype(np.float32), None


def _reduced(directions: Directions, seed: int) -> NDArray[np.float32]:
    """float32[n, c] along the first principal components, seen from the origin, so that cosines stay cosines."""
    found = principal(directions, min(_REDUCED, directions.width), seed=seed)
    return coordinates(directions, found) + (found.mean @ found.axes).astype(np.float32)


def _spread(start: NDArray[np.float32]) -> NDArray[np.float32]:
    """Within ±10, as UMAP's own starts are, on a scale of its own per axis."""
    widest = np.abs(start).max(axis=0, initial=0.0)
    return (start * np.divide(10.0, widest, out=np.zeros_like(widest), where=widest > 0)).astype(np.float32)


def _centred(points: Any) -> NDArray[np.float32]:
    found = np.asarray(points, dtype=np.float64)
    return (found - found.mean(axis=0)).astype(np.float32)
