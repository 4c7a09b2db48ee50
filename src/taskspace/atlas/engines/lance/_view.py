"""The questions, asked of snapshots that are taken when the view begins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.atlas._stored import Record, Row, SpaceRow, blocks_of
from taskspace.atlas._values import Entry, Transfer
from taskspace.atlas.engines.lance import _filters as f
from taskspace.atlas.engines.lance._near import closest
from taskspace.atlas.engines.lance._snapshot import Snapshot, vectors_of
from taskspace.atlas.engines.lance._tables import POOLS, SPACES, TRANSFERS, vectors_table
from taskspace.embedding import Kind, SpaceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.atlas._store import Found
    from taskspace.atlas.engines.lance._connection import Connection
    from taskspace.embedding import TaskEmbedding

_ROW = ("name", "kind", "content", "informative", "provenance")
_RECORD = ("name", "kind", "content", "informative", "added", "provenance")
_AT_ONCE = 1 << 26
"""Bytes of vectors that are read at once."""


class LanceView:
    """See :class:`taskspace.atlas._store.View`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._versions = {table: connection.version(table) for table in (POOLS, TRANSFERS)}
        self._spaces = _spaces(connection.newest_snapshot(SPACES))
        self._tables = {
            row.fingerprint: connection.newest_snapshot(vectors_table(row)) for row in self._spaces if row.blocks
        }
        self._asked: dict[tuple[str, tuple[str, ...]], dict[str, tuple[Kind, int]]] = {}

    @property
    def uuid(self) -> str:
        return self._connection.uuid

    def spaces(self) -> list[SpaceRow]:
        return [row._replace(generation=self._generation(row)) for row in self._spaces]

    def count(self) -> int:
        return sum(table.count for table in self._tables.values() if table is not None)

    def holding(self, names: Sequence[str]) -> dict[str, set[str]]:
        held = {row.fingerprint: self._held(row, names) for row in self._spaces}
        return {name: {place for place, there in held.items() if name in there} for name in names}

    def kinds(self, space: SpaceRow, names: Sequence[str]) -> dict[str, Kind]:
        return {name: kind for name, (kind, _) in self._held(space, names).items()}

    def names(self, space: SpaceRow) -> list[str]:
        return self._column(space, "name")

    def names_of(self, space: SpaceRow, content: str, kind: Kind) -> list[str]:
        return self._column(space, "name", where=f.of_kind(f.equals("content", content), kind))

    def entries(self, space: SpaceRow, kind: Kind | None = None) -> list[Entry]:
        table = self._tables.get(space.fingerprint)
        if table is None:
            return []
        found = table.columns(*_RECORD, where=None if kind is None else f.equals("kind", kind)).select(_RECORD)
        return [
            Entry(name, what, space.fingerprint, content, added, json.loads(provenance), space.dims)
            for name, what, content, _, added, provenance in _tuples(found)
        ]

    def record(self, space: SpaceRow, name: str) -> Record:
        table = self._tables[space.fingerprint]
        assert table is not None
        (found,) = _records(table.columns(*_RECORD, "vector", where=f.equals("name", name)))
        return found

    def records(self, space: SpaceRow, size: int) -> Iterator[list[Record]]:
        table = self._tables.get(space.fingerprint)
        if table is not None:
            ids = _oldest_first(table)
            for start in range(0, len(ids), size):
                yield _records(table.take(ids[start : start + size], *_RECORD, "vector"))

    def rows(self, space: SpaceRow) -> list[Row]:
        table = self._tables.get(space.fingerprint)
        if table is None:
            return []
        found = table.columns(*_ROW, "place")
        return [Row._make(row) for row in _tuples(found.take(_order(found)).select(_ROW))]

    def fill(self, space: SpaceRow, out: NDArray[np.float32]) -> None:
        """In the order in which they lie, each to its place."""
        table = self._tables.get(space.fingerprint)
        if table is None:
            return
        ids = _oldest_first(table)
        by_id = np.argsort(ids)
        for batch in table.batches("vector", size=max(1, _AT_ONCE // (4 * space.dims))):
            found = batch.column("_rowid").to_numpy()
            out[by_id[np.searchsorted(ids, found, sorter=by_id)]] = vectors_of(batch)

    def closest(self, space: SpaceRow, target: TaskEmbedding, k: int, kind: Kind | None) -> Found | None:
        table = self._tables.get(space.fingerprint)
        return None if table is None else closest(table, target, k, kind)

    def packed_pool(self, fingerprint: str) -> bytes | None:
        found = self._rest(POOLS, "rows", where=f.equals("fingerprint", fingerprint))
        return found["rows"][0].as_py() if found and found.num_rows else None

    def transfers(self) -> list[Transfer]:
        columns = ("source", "target", "score", "baseline", "metric", "seed", "noted")
        found = self._rest(TRANSFERS, *columns, "place")
        return [Transfer(*row) for row in _tuples(found.take(_order(found)).select(columns))] if found else []

    def check(self) -> Iterable[str]:
        """Reads all there is."""
        for row in self._spaces:
            table = self._tables.get(row.fingerprint)
            if table is None:
                continue
            names = table.columns("name")["name"]
            if len(names.unique()) != len(names):
                yield f"a name stands twice in {row.identity}"
            sums = [float(np.sum(vectors_of(batch), dtype=np.float64)) for batch in table.batches("vector", size=1024)]
            if not np.isfinite(sums).all():
                yield f"a vector of {row.identity} is not finite"
        self.transfers()

    def _generation(self, space: SpaceRow) -> str:
        table = self._tables.get(space.fingerprint)
        return "0" if table is None else table.generation

    def _held(self, space: SpaceRow, names: Sequence[str]) -> dict[str, tuple[Kind, int]]:
        """Kind and place of each of these names that is there; who writes asks twice."""
        question = (space.fingerprint, tuple(names))
        if question not in self._asked:
            self._asked[question] = self._look_up(space, names)
        return self._asked[question]

    def _look_up(self, space: SpaceRow, names: Sequence[str]) -> dict[str, tuple[Kind, int]]:
        table = self._tables.get(space.fingerprint)
        if table is None:
            return {}
        columns = ("name", "kind", "place")
        few = len(names) <= f.MOST_LITERALS
        found = table.columns(*columns, where=f.among("name", names) if few else None).select(columns)
        wanted = set(names)
        return {name: (kind, place) for name, kind, place in _tuples(found) if name in wanted}

    def _column(self, space: SpaceRow, name: str, where: Any = None) -> list[str]:
        table = self._tables.get(space.fingerprint)
        return [] if table is None else table.columns(name, where=where)[name].to_pylist()

    def _rest(self, table: str, *columns: str, where: Any = None) -> Any:
        held = self._connection.snapshot(table, self._versions[table])
        return None if held is None else held.columns(*columns, where=where)


def _spaces(table: Snapshot | None) -> list[SpaceRow]:
    if table is None:
        return []
    found = table.columns("identity", "options", "blocks", "place")
    return [
        SpaceRow(SpaceId.from_dict(json.loads(identity)), json.loads(options), blocks_of(blocks), "")
        for identity, options, blocks in _tuples(found.take(_order(found)).select(["identity", "options", "blocks"]))
    ]


def _records(found: Any) -> list[Record]:
    return [
        Record(*row, vector=vector)
        for row, vector in zip(_tuples(found.select(_RECORD)), vectors_of(found), strict=True)
    ]


def _tuples(found: Any) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in found.columns), strict=True)


def _oldest_first(table: Snapshot) -> NDArray[np.uint64]:
    """The row ids by age."""
    found = table.columns("place")
    return found["_rowid"].to_numpy()[_order(found)]


def _order(found: Any) -> NDArray[np.intp]:
    """By age; what several machines put at one nanosecond has the order of LanceDB's row ids."""
    return np.lexsort((found["_rowid"].to_numpy(), found["place"].to_numpy()))
