"""The entries of one kind, searched for what is equal and for what is too near to be chance."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskspace.atlas.duplicates._background import FEWEST, derive
from taskspace.atlas.duplicates._evidence import EQUAL
from taskspace.atlas.duplicates._groups import complete_groups
from taskspace.atlas.duplicates._pairs import Close, block_starts, close_pairs, neighbours_of, similarities_of
from taskspace.atlas.duplicates._values import Searched
from taskspace.atlas.map._directions import Directions

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from numpy.typing import NDArray

    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import Kind

_ROUNDING = 1e-5
"""What sums in float32 may be off; pairs that close to a threshold are computed again in float64."""

_NEIGHBOURS = 32
_SAMPLE = 4000
"""Entries whose neighbours tell the background where there are more."""


@dataclass(frozen=True, eq=False)
class Found:
    """``groups`` of rows of the matrix, and pairs of rows that are as near but in no group together, nearest first.

    ``least`` is the lowest similarity within each group; None where only contents were compared.
    """

    searched: Searched
    groups: Sequence[Sequence[int]]
    least: Sequence[float | None]
    apart: Sequence[tuple[int, int]]


def search(matrix: Matrix, kind: Kind, above: float | None, *, sees_labels: bool, progress: bool) -> Found:
    """What is the same among the rows of a kind."""
    bundles, directions = distinct(matrix, kind, sees_labels=sees_labels)
    compared = directions.places.tolist()
    searched = searched_with(directions, kind, sum(map(len, bundles.values())), above)
    level = min(EQUAL, searched.threshold or EQUAL)
    near = close_pairs(directions, level - _ROUNDING, steps=_watched(directions, progress))
    pairs = _settled(directions, near, level)
    joined = complete_groups(pairs)
    joined += [[unit] for unit in set(range(len(directions))).difference(*joined) if len(bundles[compared[unit]]) > 1]
    groups = [[row for unit in group for row in bundles[compared[unit]]] for group in joined]
    silent = [bundles[first] for first in bundles.keys() - set(compared) if len(bundles[first]) > 1]
    least, outside = _within(pairs, joined, len(directions))
    apart = [(compared[one], compared[other]) for one, other in outside]
    return Found(searched, [*groups, *silent], [*least, *[None] * len(silent)], apart)


def distinct(matrix: Matrix, kind: Kind, *, sees_labels: bool) -> tuple[dict[int, list[int]], Directions]:
    """Bundles of equal rows by their first one, and those first rows that can be compared by their vectors.

    Zeros cannot, and without ``sees_labels`` no model can, since all of them answered the same texts.
    """
    rows = [i for i, row in enumerate(matrix.rows) if row.kind == kind]
    told = rows if sees_labels or kind == "dataset" else []
    drawn = {row for row in told if matrix.norms[row].any()}
    bundles = {bundle[0]: bundle for bundle in _bundled(matrix, rows, drawn)}
    return bundles, Directions(matrix, np.array([first for first in bundles if first in drawn], dtype=np.intp))


def telling_of(directions: Directions) -> NDArray[np.bool_]:
    """bool[n]: rows whose likeness means something.  Of the others, noise, only equality does."""
    return np.array([directions.matrix.rows[place].informative for place in directions.places], dtype=np.bool_)


def _bundled(matrix: Matrix, rows: Iterable[int], drawn: Container[int]) -> list[list[int]]:
    """Rows of the same content, or of the same numbers to the last bit: a thousand copies are then one to compare."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_content[matrix.rows[row].content].append(row)
    by_numbers: dict[str | bytes, list[int]] = defaultdict(list)
    for content, same in by_content.items():
        by_numbers[_digest(matrix, same[0]) if same[0] in drawn else content].extend(same)
    return [sorted(same) for same in by_numbers.values()]


def _digest(matrix: Matrix, row: int) -> bytes:
    return hashlib.blake2b(matrix.vectors[row].tobytes(), digest_size=16).digest()


def searched_with(
    directions: Directions, kind: Kind, entries: int, above: float | None, *, sample: int = _SAMPLE
) -> Searched:
    """The threshold for these rows, as given or derived from the neighbours of a ``sample`` of them."""
    if above is not None:
        return Searched(kind, entries, above, "as given")
    directions = directions.only(np.flatnonzero(telling_of(directions)))
    if len(directions) < FEWEST:
        how = f"only what is certain, since {FEWEST} different entries are needed to tell what is chance"
        return Searched(kind, entries, None, how)
    rows = np.sort(np.random.default_rng(0).permutation(len(directions))[:sample])
    background, threshold = derive(neighbours_of(directions, rows, _NEIGHBOURS), len(directions))
    how = f"derived: half of them have their nearest other task beyond {background.median:.2f}"
    return Searched(kind, entries, threshold, how, background)


def _watched(directions: Directions, progress: bool) -> Iterable[int]:
    from tqdm.auto import tqdm

    return tqdm(block_starts(directions), desc="compare", unit="block", disable=not progress, leave=False)


def _settled(directions: Directions, pairs: Close, level: float) -> Close:
    """The pairs of at least ``level``, those at its very edge computed again; equal ones of what says nothing."""
    similarity = pairs.similarity.astype(np.float64)
    edge = np.flatnonzero(similarity < level + _ROUNDING)
    similarity[edge] = similarities_of(directions, pairs.first[edge], pairs.second[edge])
    telling = telling_of(directions)
    kept = (similarity >= EQUAL) | ((similarity >= level) & telling[pairs.first] & telling[pairs.second])
    return Close(pairs.first[kept], pairs.second[kept], similarity[kept])


def _within(pairs: Close, groups: Sequence[Sequence[int]], count: int) -> tuple[list[float], list[tuple[int, int]]]:
    """The lowest similarity within each group (1 where all rows are equal), and the pairs in none, nearest first."""
    number = np.full(count, -1)
    for i, group in enumerate(groups):
        number[list(group)] = i
    mine, theirs = number[pairs.first], number[pairs.second]
    inside = (mine == theirs) & (mine >= 0)
    least = np.ones(len(groups))
    np.minimum.at(least, mine[inside], pairs.similarity[inside])
    outside = np.flatnonzero(~inside)
    order = outside[np.argsort(-pairs.similarity[outside], kind="stable")]
    return least.tolist(), list(zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True))
