"""Groups of adapters that are alike (model-based clustering, MBC: arXiv 2405.11157, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np

from taskspace._extras import require
from taskspace.embedding import TaskEmbedding
from taskspace.errors import SettingError, WeightsError, did_you_mean
from taskspace.merging._vector import TaskVector, joined_base
from taskspace.merging.carriers.combined import factors
from taskspace.merging.carriers.factors import concatenated
from taskspace.merging.likeness import gram
from taskspace.merging.sketch import sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

By: TypeAlias = Literal["differences", "sketches", "factors"]
DIRECTIONS = 64
_KEPT = 0.2


@dataclass(frozen=True, eq=False)
class Clusters:
    """``labels`` int64[T], the cluster of each; ``cosines`` float64[T, T], by which they were found.

    Clusters are numbered by their first member.
    """

    labels: NDArray[np.int64]
    cosines: NDArray[np.float64]

    @property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """The places, in what was given, of each cluster's members."""
        return tuple(tuple(np.flatnonzero(self.labels == k).tolist()) for k in range(int(self.labels.max()) + 1))

    @property
    def within(self) -> tuple[float, ...]:
        """The mean cosine between two members of each cluster; 1 where there is but one."""
        found: list[float] = []
        for members in self.members:
            block, n = self.cosines[np.ix_(members, members)], len(members)
            found.append(float(block.sum() - np.trace(block)) / (n * (n - 1)) if n > 1 else 1.0)
        return tuple(found)

    @property
    def silhouette(self) -> float:
        """Mean over all of (b - a) / max(a, b), in [-1, 1]: a is the mean distance, one less the cosine, to the own
        cluster, b that to the next; 0 for one that is alone, and for all where there is one cluster.
        """  # noqa: D205  # one sentence
        apart, together = 1 - self.cosines, np.eye(int(self.labels.max()) + 1)[self.labels]
        sizes = together.sum(axis=0)
        if len(sizes) < 2:
            return 0.0
        sums, own = apart @ together, self.labels[:, None] == np.arange(len(sizes))
        inner = sums[own] / np.maximum(sizes[self.labels] - 1, 1)
        outer = np.where(own, np.inf, sums / sizes).min(axis=1)
        scale = np.maximum(np.maximum(inner, outer), np.finfo(float).tiny)
        return float(np.mean(np.where(sizes[self.labels] > 1, (outer - inner) / scale, 0.0)))


def clusters(
    vectors: Sequence[TaskVector] | Sequence[TaskEmbedding],
    k: int,
    *,
    by: By = "differences",
    directions: int = DIRECTIONS,
    seed: int = 0,
) -> Clusters:
    """The ``k`` groups that KMeans finds among the rows of a matrix of cosines, after a truncated SVD.

    ``by`` says of what: ``differences``, exact, by inner products of factor pairs where vectors have them (ours, and
    the default: they are the same however an adapter is split into factors); ``sketches`` of them, one pass each, for
    many vectors that have none (ours); ``factors``, those of all layers in a row, whose entries below the 0.8 quantile
    of their size are set to 0 (as published: it sees a rotation of factors as another adapter, and wants equal ranks).
    Embeddings of any space are grouped by their numbers.

    Raises :class:`SettingError` for a ``k`` that cannot be, and :class:`WeightsError` for vectors of different bases.
    """
    if not 1 <= k <= len(vectors):
        raise SettingError(f"k is {k}; give a number from 1 to {len(vectors)}, which is how many there are")
    if directions < 1:
        raise SettingError(f"directions is {directions}; give at least 1")
    cosines = _reduced(_gram(vectors, by, seed), directions)
    means = require("sklearn.cluster", extra="sklearn", why="clustering").KMeans(k, n_init=10, random_state=seed)
    return Clusters(_in_order(means.fit_predict(cosines)), cosines)


def _gram(vectors: Sequence[TaskVector] | Sequence[TaskEmbedding], by: str, seed: int) -> NDArray[np.float64]:
    """float64[T, T]: inner products."""
    points = [each for each in vectors if isinstance(each, TaskEmbedding)]
    if points:
        if len(points) < len(vectors):
            raise SettingError("embeddings and vectors were both given; embed all, or none")
        if by != "differences":
            raise SettingError(f"by={by!r} says how vectors are compared, and these are embeddings; leave it out")
        for point in points:
            points[0].space.require_same(point.space)
        return _products([_balanced(point) for point in points])
    if by not in _GRAMS:
        raise SettingError(f"by={by!r} is not known{did_you_mean(by, _GRAMS)}")
    whole = cast("Sequence[TaskVector]", vectors)
    joined_base(whole)
    return _GRAMS[by](whole, seed)


def _balanced(point: TaskEmbedding) -> NDArray[np.float64]:
    """Every block at length 1, so that products are sums of the blocks' cosines."""
    ends = np.cumsum([size for _, size in point.blocks])[:-1]
    parts = np.split(point.vector.astype(np.float64), ends)
    return np.concatenate([part / (np.linalg.norm(part) or 1.0) for part in parts])


def _of_differences(vectors: Sequence[TaskVector], seed: int) -> NDArray[np.float64]:
    del seed
    return gram(vectors)


def _of_sketches(vectors: Sequence[TaskVector], seed: int) -> NDArray[np.float64]:
    return _products([sketch(vector.carrier, seed=seed) for vector in vectors])


def _of_factors(vectors: Sequence[TaskVector], seed: int) -> NDArray[np.float64]:
    del seed
    rows = [_flattened(vector) for vector in vectors]
    if len({len(row) for row in rows}) > 1:
        raise WeightsError("factors of other ranks or modules cannot be compared; take by='differences'")
    return _products([np.where(np.abs(row) >= np.quantile(np.abs(row), 1 - _KEPT), row, 0.0) for row in rows])


def _flattened(vector: TaskVector) -> NDArray[np.float64]:
    """float64[numbers]: B, which has the scaling, and A of every module."""
    parts: list[NDArray[Any]] = []
    for name in sorted(vector.layout):
        pairs = factors(vector.carrier, name)
        if not pairs:
            raise WeightsError(f"{name!r} of {vector} is no pair of factors; take by='differences'")
        pair = concatenated(pairs)
        parts += [pair.up.reshape(-1), pair.down.reshape(-1)]
    return np.concatenate(parts, dtype=np.float64) if parts else np.zeros(0)


def _products(rows: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    matrix = np.stack(rows).astype(np.float64)
    return matrix @ matrix.T


def _reduced(products: NDArray[np.float64], directions: int) -> NDArray[np.float64]:
    """float64[T, T]: cosines of the first coordinates of a truncated SVD, which a Gram matrix gives too.

    A vector of zeros is similar to none.
    """
    values, axes = np.linalg.eigh(products)
    values, axes = values[::-1][:directions], axes[:, ::-1][:, :directions]
    points = axes * np.sqrt(np.maximum(values, 0))
    lengths = np.sqrt(np.maximum(np.diag(products), 0))  # of what was cut nothing may be left but rounding
    norms = np.linalg.norm(points, axis=1)
    told = norms > 1e-7 * max(float(lengths.max(initial=0)), np.finfo(float).tiny)
    unit = np.divide(points, norms[:, None], out=np.zeros_like(points), where=told[:, None])
    return np.clip(unit @ unit.T, -1, 1)


def _in_order(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Numbered by their first member, whatever numbers KMeans gave them."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


_GRAMS: dict[str, Callable[[Sequence[TaskVector], int], NDArray[np.float64]]] = {
    "differences": _of_differences,
    "sketches": _of_sketches,
    "factors": _of_factors,
}
