"""Vectors as ``near`` compares them: only the direction of each block counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import Kind

_BYTES = 64_000_000
"""Of rows that are turned into directions at one time."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Rows ``places`` of a matrix, every block divided by its length and by √b.

    The inner product of two such rows is the mean of their cosines over the b blocks, which is what ``near`` ranks
    by, and their squared distance is 2 minus twice that.  A block of zeros stays zero.  Nothing is kept: rows are
    made from the matrix a part at a time, so that it may be larger than what is left of the memory.
    """

    matrix: Matrix
    places: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def width(self) -> int:
        return self.matrix.vectors.shape[1]

    def name(self, place: int) -> str:
        """What the row counted ``place`` among these is called."""
        return self.matrix.rows[int(self.places[place])].name

    def only(self, chosen: NDArray[np.intp]) -> Directions:
        """Those of the rows, counted among these."""
        return Directions(self.matrix, self.places[chosen])

    def rows(self, part: slice = slice(None)) -> NDArray[np.float32]:
        """float32[m, d], a copy."""
        places = self.places[part]
        taken = self.matrix.vectors[places]  # a copy, since ``places`` is an array
        norms, count, start = self.matrix.norms[places], len(self.matrix.blocks), 0
        for block, (_, size) in enumerate(self.matrix.blocks):
            scale = np.zeros(len(places))
            np.divide(1 / np.sqrt(count), norms[:, block], out=scale, where=norms[:, block] > 0)
            taken[:, start : start + size] *= scale[:, None].astype(np.float32)
            start += size
        return taken

    def parts(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All rows, some at a time, in order."""
        step = max(1, _BYTES // (4 * max(self.width, 1)))
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            yield part, self.rows(part)

    def cosines(self, others: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[m, n]: the inner products of ``others`` float32[m, d] with every row."""
        found = np.empty((len(others), len(self)), dtype=np.float32)
        for part, rows in self.parts():
            found[:, part] = others @ rows.T
        return found


def telling(matrix: Matrix) -> NDArray[np.bool_]:
    """bool[n]: which rows say something, and so have a direction."""
    said = np.array([bool(row.informative) for row in matrix.rows], dtype=np.bool_)
    return said & matrix.norms.any(axis=1)


def places_of(matrix: Matrix, kind: Kind | None) -> NDArray[np.intp]:
    """int[m]: where the rows of a kind stand, or all rows."""
    return np.array([i for i, row in enumerate(matrix.rows) if kind in (None, row.kind)], dtype=np.intp)
