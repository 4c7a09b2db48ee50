"""Nearest rows found by LanceDB, exactly: no index, and cosines of the few that it finds are summed again above."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.atlas._store import Found
from taskspace.atlas._stored import Row
from taskspace.atlas.engines.lance import _filters as f
from taskspace.atlas.engines.lance._snapshot import vectors_of
from taskspace.ranking import block_cosines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from taskspace.atlas.engines.lance._snapshot import Snapshot
    from taskspace.embedding import Kind, TaskEmbedding

WORTH_SEARCHING = 1 << 26
"""Bytes of vectors below which they are sooner read than searched."""

_ROUNDING = 1e-4
"""More than a cosine summed in float32 can be wrong, for vectors whose length is in ``_SAFE``."""
_SAFE = (1e-12, 1e12)
_ROW = ("name", "kind", "content", "informative", "provenance")
_DATED = (*_ROW, "place")
_FETCHED = (*_DATED, "vector")


def closest(table: Snapshot, target: TaskEmbedding, k: int, kind: Kind | None) -> Found | None:
    """See :meth:`taskspace.atlas._store.View.closest`; ``None`` where the whole matrix serves better."""
    length = float(np.linalg.norm(target.vector.astype(np.float64)))
    if not length or table.count * target.vector.nbytes < WORTH_SEARCHING:
        return None
    telling = f.of_kind(f.equals("informative", value=True), kind)
    same = f.of_kind(f.equals("name", target.name) | f.equals("content", target.content), target.kind)
    itself = table.columns(*_FETCHED, where=same)
    odd = table.columns(*_FETCHED, where=telling & ~f.between("norm", *_SAFE))
    silent = table.columns(*_DATED, where=f.of_kind(f.equals("informative", value=False), kind))
    best = _best(table, target, length, k + itself.num_rows, telling & f.between("norm", *_SAFE))
    if best is None:
        return None
    rows: dict[tuple[int, int], tuple[Row, NDArray[np.float32]]] = {}
    for found in (best, odd, itself):
        rows.update(zip(_ages(found), zip(_rows(found), vectors_of(found), strict=True), strict=True))
    zeros = np.zeros_like(target.vector)  # what says nothing is not scored
    rows.update((age, (row, zeros)) for age, row in zip(_ages(silent), _rows(silent), strict=True))
    chosen = [(row, vector) for _, (row, vector) in sorted(rows.items(), key=itemgetter(0)) if kind in (None, row.kind)]
    vectors = np.stack([vector for _, vector in chosen]) if chosen else np.zeros((0, len(zeros)), dtype=np.float32)
    return Found([row for row, _ in chosen], vectors)


def _best(table: Snapshot, target: TaskEmbedding, length: float, k: int, where: Any) -> Any:
    """At least the ``k`` of highest cosine, and all that tie with the last; ``None`` if that would be most rows."""
    unit = (target.vector.astype(np.float64) / length).astype(np.float32)
    count = k + 16
    while count < max(table.count // 4, 2 * k + 32):
        ids, cosines = table.nearest(unit, count, where)
        found = table.take(ids, *_FETCHED)
        if len(ids) < count:
            return found
        exact = block_cosines(target.vector, vectors_of(found), target.blocks)[:, 0]
        if cosines[-1] + _ROUNDING < np.sort(exact)[-k]:
            return found
        count *= 4
    return None


def _rows(found: Any) -> list[Row]:
    return [Row(*row) for row in zip(*(found[name].to_pylist() for name in _ROW), strict=True)]


def _ages(found: Any) -> list[tuple[int, int]]:
    return list(zip(found["place"].to_pylist(), found["_rowid"].to_pylist(), strict=True))
