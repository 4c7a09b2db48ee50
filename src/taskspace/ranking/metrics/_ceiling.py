"""How well the truth itself can be told: one half of its seeds ranks, the other half judges."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import DataError
from taskspace.ranking.metrics._ndcg import ndcg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray


def seed_ceiling(
    runs: Sequence[ArrayLike],
    metric: Callable[..., float] = ndcg,
    *,
    splits: int = 200,
    seed: int = 0,
    **settings: Any,
) -> NDArray[np.float64]:
    """float64[targets]: what a second measurement would get as a ranker, to be read beside what rankers got.

    ``runs`` holds one float64[sources, seeds] per target, NaN for runs that are missing.  The sources are ranked by
    their mean over one half of the seeds and judged by that over the other, in every way to halve them, or in
    ``splits`` drawn ones where there are more.  A source without a run in either half is left out of that split.

    Differences between rankers that come near it are noise.  It is no strict bound: halves are noisier than the whole,
    so a ranker that is judged by all seeds, or that knew what each source is truly worth, can come out above.

    Raises :class:`DataError` for a target that no split leaves two sources, as with a single seed.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in runs]
    if not tables:
        raise DataError("there are no targets; give the runs of each")
    return np.array([_of_target(t, table, metric, splits, seed, settings) for t, table in enumerate(tables)])


def _of_target(
    number: int,
    table: NDArray[np.float64],
    metric: Callable[..., float],
    splits: int,
    seed: int,
    settings: dict[str, Any],
) -> float:
    if table.ndim != 2 or np.isinf(table).any():
        raise DataError(
            f"the runs of target {number} are no finite numbers [sources, seeds]; give NaN for missing ones"
        )
    values: list[float] = []
    for half in _halves(table.shape[1], splits, np.random.default_rng(seed)):
        ranking, judging = _means(table, half), _means(table, ~half)
        both = ~np.isnan(ranking) & ~np.isnan(judging)
        if both.sum() > 1:
            values.append(metric(judging[both], ranking[both], **settings))
    if not values:
        raise DataError(f"target {number} has no two sources with runs in two halves of its seeds; leave it out")
    return float(np.mean(values))


def _means(table: NDArray[np.float64], seeds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64[sources]: the mean over the runs that are there, NaN where none is."""
    there = ~np.isnan(table[:, seeds])
    count = there.sum(axis=1)
    total = np.where(there, table[:, seeds], 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _halves(seeds: int, most: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """bool[splits, seeds]: which of the seeds rank; each split is there both ways."""
    size = seeds // 2
    if 2 * comb(seeds, size) <= most:
        chosen = list(combinations(range(seeds), size))
    else:
        chosen = [rng.permutation(seeds)[:size] for _ in range(max(most // 2, 1))]
    ranks = np.zeros((len(chosen), seeds), dtype=np.bool_)
    for row, picked in zip(ranks, chosen, strict=True):
        row[list(picked)] = True
    return np.unique(np.concatenate([ranks, ~ranks]), axis=0)
