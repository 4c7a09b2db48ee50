"""The changes as statements, within a writing transaction of the caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, final

from taskspace.atlas.engines.sqlite._view import HERE, SqliteView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from taskspace.atlas._stored import Record, SpaceRow
    from taskspace.atlas._values import Transfer
    from taskspace.embedding import Blocks, SpaceId


@final
class SqliteChange(SqliteView):
    """See :class:`taskspace.atlas._store.Change`."""

    def put_pool(self, fingerprint: str, packed: bytes) -> None:
        self._do("INSERT INTO pools VALUES (?, ?) ON CONFLICT DO NOTHING", fingerprint, packed)

    def put_space(self, space: SpaceId) -> SpaceRow:
        self._do(
            "INSERT INTO spaces (fingerprint, identity) VALUES (?, ?) ON CONFLICT DO NOTHING",
            space.fingerprint,
            json.dumps(space.to_dict()),
        )
        return next(row for row in self.spaces() if row.identity == space)

    def set_options(self, space: SpaceRow, options: Mapping[str, Any]) -> None:
        self._do("UPDATE spaces SET options = ? WHERE fingerprint = ?", json.dumps(dict(options)), space.fingerprint)

    def put(self, space: SpaceRow, blocks: Blocks, records: Sequence[Record]) -> None:
        self._do("UPDATE spaces SET blocks = ? WHERE fingerprint = ?", json.dumps(blocks), space.fingerprint)
        self._connection.executemany(
            "INSERT INTO embeddings (space, name, kind, content, informative, added, provenance, vector)"
            " VALUES ((SELECT id FROM spaces WHERE fingerprint = ?), ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (space, name) DO UPDATE SET content = excluded.content,"
            " informative = excluded.informative, added = excluded.added, provenance = excluded.provenance,"
            " vector = excluded.vector",
            (
                (space.fingerprint, *record[:-1], record.vector.astype("<f4", copy=False).tobytes())
                for record in records
            ),
        )
        self._touch(space)

    def remove(self, space: SpaceRow, names: Sequence[str]) -> None:
        self._connection.executemany(
            f"DELETE FROM embeddings WHERE {HERE} AND name = ?", ((space.fingerprint, name) for name in names)
        )
        self._touch(space)

    def rename(self, space: SpaceRow, old: str, new: str) -> None:
        self._do(f"UPDATE embeddings SET name = ? WHERE {HERE} AND name = ?", new, space.fingerprint, old)
        self._touch(space)

    def note(self, transfers: Sequence[Transfer]) -> None:
        self._connection.executemany(
            "INSERT INTO transfers (source, target, score, baseline, metric, seed, noted) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((t.source, t.target, t.score, t.baseline, t.metric, t.seed, t.noted) for t in transfers),
        )

    def rename_in_transfers(self, old: str, new: str) -> None:
        self._do("UPDATE transfers SET source = ? WHERE source = ?", new, old)
        self._do("UPDATE transfers SET target = ? WHERE target = ?", new, old)

    def _touch(self, space: SpaceRow) -> None:
        """A new generation: what was computed from the space's embeddings is stale."""
        self._do("UPDATE spaces SET generation = lower(hex(randomblob(8))) WHERE fingerprint = ?", space.fingerprint)

    def _do(self, statement: str, *values: Any) -> None:
        self._connection.execute(statement, values)
