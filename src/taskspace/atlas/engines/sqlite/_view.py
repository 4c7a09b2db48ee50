"""The questions as statements, within a transaction of the caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from taskspace.atlas._stored import Record, Row, SpaceRow, blocks_of
from taskspace.atlas._values import Entry, Transfer
from taskspace.embedding import Kind, SpaceId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from taskspace.atlas._store import Found
    from taskspace.embedding import TaskEmbedding

HERE = "space = (SELECT id FROM spaces WHERE fingerprint = ?)"
_RECORD = "SELECT name, kind, content, informative, added, provenance, vector FROM embeddings"


class SqliteView:
    """See :class:`taskspace.atlas._store.View`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def uuid(self) -> str:
        return self._ask("SELECT uuid FROM about")[0][0]

    def spaces(self) -> list[SpaceRow]:
        found = self._ask("SELECT identity, options, blocks, generation FROM spaces ORDER BY id")
        return [
            SpaceRow(SpaceId.from_dict(json.loads(identity)), json.loads(options), blocks_of(blocks), generation)
            for identity, options, blocks, generation in found
        ]

    def count(self) -> int:
        return int(self._ask("SELECT count(*) FROM embeddings")[0][0])

    def holding(self, names: Sequence[str]) -> dict[str, set[str]]:
        statement = "SELECT fingerprint FROM embeddings JOIN spaces ON spaces.id = embeddings.space WHERE name = ?"
        return {name: {place for (place,) in self._ask(statement, name)} for name in names}

    def kinds(self, space: SpaceRow, names: Sequence[str]) -> dict[str, Kind]:
        statement = f"SELECT kind FROM embeddings WHERE {HERE} AND name = ?"
        return {name: kind for name in names for (kind,) in self._ask(statement, space.fingerprint, name)}

    def names(self, space: SpaceRow) -> list[str]:
        return [name for (name,) in self._ask(f"SELECT name FROM embeddings WHERE {HERE}", space.fingerprint)]

    def names_of(self, space: SpaceRow, content: str, kind: Kind) -> list[str]:
        statement = f"SELECT name FROM embeddings WHERE content = ? AND kind = ? AND {HERE}"
        return [name for (name,) in self._ask(statement, content, kind, space.fingerprint)]

    def entries(self, space: SpaceRow, kind: Kind | None = None) -> list[Entry]:
        statement = (
            "SELECT name, kind, content, added, provenance, length(vector) / 4 FROM embeddings"
            f" WHERE {HERE} AND (? IS NULL OR kind = ?)"
        )
        return [
            Entry(name, what, space.fingerprint, content, added, json.loads(provenance), dims)
            for name, what, content, added, provenance, dims in self._ask(statement, space.fingerprint, kind, kind)
        ]

    def record(self, space: SpaceRow, name: str) -> Record:
        (found,) = self._ask(f"{_RECORD} WHERE {HERE} AND name = ?", space.fingerprint, name)
        return _record(found)

    def records(self, space: SpaceRow, size: int) -> Iterator[list[Record]]:
        cursor = self._connection.execute(f"{_RECORD} WHERE {HERE} ORDER BY id", (space.fingerprint,))
        while batch := cursor.fetchmany(size):
            yield [_record(found) for found in batch]

    def rows(self, space: SpaceRow) -> list[Row]:
        statement = f"SELECT name, kind, content, informative, provenance FROM embeddings WHERE {HERE} ORDER BY id"
        return [
            Row(name, kind, content, bool(informative), provenance)
            for name, kind, content, informative, provenance in self._ask(statement, space.fingerprint)
        ]

    def fill(self, space: SpaceRow, out: NDArray[np.float32]) -> None:
        """One row at a time, so that no more than one is held twice."""
        statement = f"SELECT vector FROM embeddings WHERE {HERE} ORDER BY id"
        for row, (blob,) in zip(out, self._connection.execute(statement, (space.fingerprint,)), strict=True):
            row[:] = _unpack(blob)

    def closest(self, space: SpaceRow, target: TaskEmbedding, k: int, kind: Kind | None) -> Found | None:
        return None

    def packed_pool(self, fingerprint: str) -> bytes | None:
        found = self._ask("SELECT rows FROM pools WHERE fingerprint = ?", fingerprint)
        return found[0][0] if found else None

    def transfers(self) -> list[Transfer]:
        found = self._ask("SELECT source, target, score, baseline, metric, seed, noted FROM transfers ORDER BY id")
        return [Transfer(*row) for row in found]

    def check(self) -> Iterable[str]:
        found = [str(row[0]) for row in self._ask("PRAGMA integrity_check")]
        orphans = self._ask("PRAGMA foreign_key_check")
        return [*(line for line in found if line != "ok"), *(f"orphan row in {row[0]}" for row in orphans)]

    def _ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


def _record(found: tuple[Any, ...]) -> Record:
    name, kind, content, informative, added, provenance, blob = found
    return Record(name, kind, content, bool(informative), added, provenance, _unpack(blob))


def _unpack(blob: bytes) -> NDArray[np.float32]:
    return np.frombuffer(blob, dtype="<f4")
