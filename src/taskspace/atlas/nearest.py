"""Neighbours in the time that reading the vectors takes, where summing every cosine in float64 would be longer.

The answer is that of :func:`taskspace.ranking.rank`, hit for hit and note for note: what cannot change it is left out
first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.embedding import TaskEmbedding
from taskspace.ranking import block_cosines, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from taskspace.atlas import Matrix
    from taskspace.embedding import Kind, SpaceId
    from taskspace.ranking import Candidate, Ranking

_ROUNDING = 2.0**-24
"""Of one operation in float32.  A sum of d products is off by no more than d times this and the vectors' lengths."""
_TINY = 1e-25
"""Lengths below which products would be too small for float32."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The rows of a matrix as columns, so that they are chosen from all at once."""

    space: SpaceId
    matrix: Matrix
    rows: Sequence[Candidate]
    kinds: NDArray[np.object_]
    contents: NDArray[np.object_]
    names: NDArray[np.object_]
    telling: NDArray[np.bool_]

    @classmethod
    def of(cls, space: SpaceId, matrix: Matrix) -> Neighbours:
        rows = list(matrix.rows)
        return cls(
            space=space,
            matrix=matrix,
            rows=rows,
            kinds=np.array([row.kind for row in rows], dtype=np.object_),
            contents=np.array([row.content for row in rows], dtype=np.object_),
            names=np.array([row.name for row in rows], dtype=np.object_),
            telling=np.array([row.informative for row in rows], dtype=np.bool_),
        )

    def target(self, place: int) -> TaskEmbedding:
        """The row of the matrix as an embedding."""
        row = self.rows[place]
        vector = self.matrix.vectors[place]
        return TaskEmbedding(row.name, row.kind, self.space, vector, self.matrix.blocks, row.content, row.provenance)

    def nearest(
        self, target: TaskEmbedding, k: int, kind: Kind | None = None, *, include_self: bool = False
    ) -> Ranking:
        """The ``k`` nearest to an embedding of the same space and blocks."""
        wanted = np.ones(len(self.rows), dtype=np.bool_) if kind is None else self.kinds == kind
        same = (self.contents == target.content) | (self.names == target.name)
        itself = wanted & same & (self.kinds == target.kind)
        chosen = np.flatnonzero(
            itself | (wanted & ~self.telling) | self._near(target, wanted & self.telling, k, itself)
        )
        cosines = block_cosines(target.vector, self.matrix.vectors[chosen], target.blocks, self.matrix.norms[chosen])
        return order(target, [self.rows[i] for i in chosen.tolist()], cosines, k=k, include_self=include_self)

    def _near(
        self, target: TaskEmbedding, wanted: NDArray[np.bool_], k: int, itself: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """bool[n]: all that may be among the ``k`` or tie with the last of them, as far as float32 can tell."""
        scores = self._scores(target)
        known = wanted & np.isfinite(scores)
        count = k + int(itself.sum())
        if int(known.sum()) <= count:
            return wanted
        last = -np.partition(-scores[known], count - 1)[count - 1]
        return wanted & ~(scores < last - 4 * (len(target.vector) + 2) * _ROUNDING)

    def _scores(self, target: TaskEmbedding) -> NDArray[np.float64]:
        """float64[n]: mean cosine over blocks, to the precision of float32; NaN where that cannot hold the numbers."""
        scores, start = np.zeros(len(self.rows)), 0
        for block, (_, size) in enumerate(target.blocks):
            part = slice(start, start + size)
            mine = target.vector[part].astype(np.float64)
            unit = (mine / (np.linalg.norm(mine) or 1.0)).astype(np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                dots = (self.matrix.vectors[:, part] @ unit).astype(np.float64)
            lengths = self.matrix.norms[:, block]
            cosines = np.divide(dots, lengths, out=np.zeros(len(dots)), where=lengths > 0)
            cosines[(lengths > 0) & (lengths < _TINY) | ~np.isfinite(dots)] = np.nan
            scores += cosines
            start += size
        return scores / len(target.blocks)
