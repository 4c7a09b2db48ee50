"""Search an atlas for the same task under several names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, final

import numpy as np

from taskspace.atlas._answering import table_of
from taskspace.atlas.duplicates._effects import Effects
from taskspace.atlas.duplicates._evidence import EQUAL, pair_of
from taskspace.atlas.duplicates._search import Found, distinct, search, searched_with, telling_of
from taskspace.atlas.duplicates._values import STRENGTHS, Duplicates, Group, Pair
from taskspace.atlas.matrix import cosines_with
from taskspace.embedding import KINDS, Kind, SpaceId
from taskspace.errors import SettingError, did_you_mean
from taskspace.ranking import block_cosines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.atlas._atlas import Atlas
    from taskspace.atlas._values import Transfer
    from taskspace.atlas.matrix import Matrix
    from taskspace.embedding import TaskEmbedding

_BLIND = {"text"}
"""Learners that see no labels."""

_GLANCE = 1000
"""Entries that tell the background where only one task is asked about."""

_MOST_APART = 1000
"""Pairs outside the groups that are told; of more, the nearest."""


def find_duplicates(
    atlas: Atlas,
    *,
    kind: Kind | None = None,
    space: SpaceId | str | None = None,
    above: float | None = None,
    progress: bool = False,
) -> Duplicates:
    """Data sets, models, prompts or adapters of one space that are the same task; each kind is searched by itself.

    Two entries are listed for the same content fingerprint, for vectors equal to rounding, or for a similarity of at
    least ``above``.  Left out, this is derived from how near different tasks of that kind stand here, see
    :func:`~taskspace.atlas.duplicates._background.derive`; of fewer than 20 entries nothing is derived, and only
    what is certain is listed.  Of an entry that says nothing only equality counts.

    Time grows with the square of the entries, memory does not.  Raises as :meth:`Atlas.matrix` does, and
    :class:`SettingError` for an ``above`` that is no similarity or lets through more pairs than can be held.
    """
    if above is not None and not 0 < above <= 1:
        raise SettingError(f"a threshold of {above:.4g} is no similarity; give one above 0, at most 1 (--above)")
    if kind is not None and kind not in KINDS:
        raise SettingError(f"there is no kind {kind!r}{did_you_mean(kind, KINDS)}")
    matrix, identity = atlas.matrix(space), atlas.space_id(space)
    sees_labels = identity.learner not in _BLIND
    there = {row.kind for row in matrix.rows}
    kinds: list[Kind] = [each for each in KINDS if each in there and (kind is None or each == kind)]
    found = [search(matrix, each, above, sees_labels=sees_labels, progress=progress) for each in kinds]
    clerk = _Clerk(matrix, atlas.transfers())
    return Duplicates(
        identity.fingerprint,
        identity.learner,
        tuple(one.searched for one in found),
        tuple(group for one in found for group in clerk.groups(one)),
        tuple(pair for one in found for pair in clerk.apart(one)),
        tuple(_notes(identity.learner, found)),
    )


def copies_of(atlas: Atlas, target: TaskEmbedding, *, above: float | None = None) -> tuple[Pair, ...]:
    """What stands in the atlas, in the space of ``target``, and is the same task under another name; strongest first.

    As :func:`find_duplicates` would find it if ``target`` were one more entry.
    """
    matrix, kind = atlas.matrix(target.space), target.kind
    bundles, directions = distinct(matrix, kind, sees_labels=target.space.learner not in _BLIND)
    threshold = searched_with(directions, kind, len(bundles), above, sample=_GLANCE).threshold
    similar = cosines_with(target, matrix).mean(axis=1)
    levels = np.where(telling_of(directions) & target.informative, min(EQUAL, threshold or EQUAL), EQUAL)
    near = directions.places[similar[directions.places] >= levels].tolist()
    same = [i for i, row in enumerate(matrix.rows) if (row.kind, row.content) == (kind, target.content)]
    found = {*same, *(row for first in near for row in bundles[first])}
    effects = Effects(table_of(atlas.transfers()))
    pairs = [
        pair_of(target, matrix.rows[i], float(similar[i]), threshold, effects)
        for i in sorted(found)
        if matrix.rows[i].name != target.name
    ]
    return tuple(sorted(pairs, key=_strongest))


def _strongest(pair: Pair) -> tuple[int, float, str]:
    return STRENGTHS.index(pair.strength), -pair.similarity, pair.second


def _notes(learner: str, found: Sequence[Found]) -> list[str]:
    notes = [f"{learner!r} sees no labels: tasks on the same texts stand together whatever their labels, and models are"
             " compared by content alone"] if learner in _BLIND else []  # fmt: skip
    left = sum(max(0, len(one.apart) - _MOST_APART) for one in found)
    return [*notes, *([f"{left} more pairs are as near and in no group together"] if left else [])]


@final
class _Clerk:
    """Writes down what was found, with the evidence for each pair."""

    def __init__(self, matrix: Matrix, measured: Sequence[Transfer]) -> None:
        self._matrix = matrix
        self._effects = Effects(table_of(measured))
        self._measured = Counter(name for row in measured for name in (row.source, row.target))

    def groups(self, found: Found) -> list[Group]:
        """Each group under its representative, those with most names first."""
        threshold = found.searched.threshold
        groups = [self._group(rows, least, threshold) for rows, least in zip(found.groups, found.least, strict=True)]
        return sorted(groups, key=lambda group: (-len(group.pairs), group.representative))

    def apart(self, found: Found) -> list[Pair]:
        return [self._pair(*rows, found.searched.threshold) for rows in found.apart[:_MOST_APART]]

    def _group(self, rows: Sequence[int], least: float | None, threshold: float | None) -> Group:
        kept = min(rows, key=self._worth)
        pairs = [self._pair(kept, row, threshold) for row in rows if row != kept]
        pairs.sort(key=_strongest)
        about = self._matrix.rows[kept]
        return Group(about.kind, about.name, tuple(pairs), least)

    def _worth(self, row: int) -> tuple[int, int, int]:
        """Least for what is best kept: with most measurements, then most rows, then the oldest."""
        about = self._matrix.rows[row]
        return -self._measured[about.name], -int(about.provenance.get("input_rows") or 0), row

    def _pair(self, first: int, second: int, threshold: float | None) -> Pair:
        rows = self._matrix.rows
        return pair_of(rows[first], rows[second], self._similarity(first, second), threshold, self._effects)

    def _similarity(self, first: int, second: int) -> float:
        vectors, blocks = self._matrix.vectors, self._matrix.blocks
        return float(np.mean(block_cosines(vectors[first], vectors[[second]], blocks)))
