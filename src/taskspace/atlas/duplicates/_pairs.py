"""Exact search among all pairs, a block of rows against a block of rows: memory does not grow with their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from taskspace.atlas.map._directions import Directions

MOST = 20_000_000
"""Pairs that are held; more would say nothing to anybody."""

STEP = 2048
"""Rows on either side of a block."""

_ASKED = 256
"""Rows whose similarities with all others are held at once, and pairs that are computed again at once."""


@dataclass(frozen=True, eq=False)
class Close:
    """Pairs of rows int64[p], ``first`` < ``second``, and their similarity float[p]; in the order of the rows."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.first)


def neighbours_of(directions: Directions, rows: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """float64[m, count]: similarities of these rows with their nearest other rows, descending."""
    count = min(count, len(directions) - 1)
    found = [_nearest(directions, rows[start : start + _ASKED], count) for start in range(0, len(rows), _ASKED)]
    return np.concatenate(found).astype(np.float64)


def _nearest(directions: Directions, rows: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    mine = directions.only(rows).rows()
    parts = [mine @ directions.rows(slice(start, start + STEP)).T for start in range(0, len(directions), STEP)]
    table = np.concatenate(parts, axis=1)
    table[np.arange(len(rows)), rows] = -np.inf
    return -np.sort(np.partition(-table, count - 1, axis=1)[:, :count], axis=1)


def close_pairs(directions: Directions, threshold: float, *, steps: Iterable[int] | None = None) -> Close:
    """All pairs of a similarity of at least ``threshold``; raises :class:`SettingError` beyond :data:`MOST`.

    ``steps`` are the starts of the blocks, for a caller that shows how far it is.
    """
    parts: list[Close] = []
    held = 0
    for start in range(0, len(directions), STEP) if steps is None else steps:
        mine = directions.rows(slice(start, start + STEP))
        for other in range(start, len(directions), STEP):
            theirs = mine if other == start else directions.rows(slice(other, other + STEP))
            part = _above(mine @ theirs.T, threshold, start, other)
            held += len(part)
            if held > MOST:
                raise SettingError(
                    f"more than {MOST:,} pairs are as near as {threshold:.4g}; give a higher threshold (--above)"
                )
            if len(part):
                parts.append(part)
    return _joined(parts)


def similarities_of(directions: Directions, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[p] of pairs of rows, summed in float64."""
    found = np.zeros(len(first))
    for start in range(0, len(first), _ASKED):
        part = slice(start, start + _ASKED)
        one, other = directions.only(first[part]).rows(), directions.only(second[part]).rows()
        found[part] = np.einsum("ij,ij->i", one, other, dtype=np.float64)
    return found


def block_starts(directions: Directions) -> range:
    """Where the blocks begin that :func:`close_pairs` goes through; the first takes longest."""
    return range(0, len(directions), STEP)


def _above(table: NDArray[np.float32], threshold: float, start: int, other: int) -> Close:
    rows, columns = np.nonzero(table >= threshold)
    first, second = rows + start, columns + other
    upper = first < second
    return Close(first[upper], second[upper], table[rows[upper], columns[upper]])


def _joined(parts: list[Close]) -> Close:
    if not parts:
        return Close(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
    return Close(
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.similarity for part in parts]),
    )
