"""Changes, gathered while the view lasts and committed at its end."""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any, final

import numpy as np

from taskspace.atlas._stored import SpaceRow
from taskspace.atlas.engines.lance._commits import Commits
from taskspace.atlas.engines.lance._tables import POOLS, SPACES, TRANSFERS, schema_of, vectors_table
from taskspace.atlas.engines.lance._view import LanceView
from taskspace.errors import AtlasError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from taskspace.atlas._stored import Record
    from taskspace.atlas._values import Transfer
    from taskspace.atlas.engines.lance._connection import Connection
    from taskspace.embedding import Blocks, SpaceId

_AT_ONCE = 1 << 24
"""Bytes of vectors that are handed over at once."""


@final
class LanceChange(LanceView):
    """See :class:`taskspace.atlas._store.Change`; :meth:`commit` says what is stored in which order."""

    def __init__(self, connection: Connection, *, alone: bool) -> None:
        super().__init__(connection)
        self._alone = alone
        self._written = time.time_ns()
        self._places = count(self._written)
        self._pools: dict[str, bytes] = {}
        self._noted: list[Transfer] = []
        self._renamed: dict[str, str] = {}
        self._rows = {row.fingerprint: row for row in self._spaces}
        self._changed: dict[str, set[str]] = defaultdict(set)
        self._put: dict[str, dict[str, tuple[int, Record]]] = defaultdict(dict)
        self._removed: dict[str, list[str]] = defaultdict(list)
        self._over: set[str] = set()

    def spaces(self) -> list[SpaceRow]:
        """Without their generations, which nobody asks for who writes."""
        return list(self._rows.values())

    def put_pool(self, fingerprint: str, packed: bytes) -> None:
        self._pools[fingerprint] = packed

    def put_space(self, space: SpaceId) -> SpaceRow:
        if space.fingerprint not in self._rows:
            self._rows[space.fingerprint] = SpaceRow(space, {}, (), "")
            self._changed[space.fingerprint].add("identity")
        return self._rows[space.fingerprint]

    def set_options(self, space: SpaceRow, options: Mapping[str, Any]) -> None:
        self._change(space, "options", dict(options))

    def put(self, space: SpaceRow, blocks: Blocks, records: Sequence[Record]) -> None:
        place = space.fingerprint
        if blocks != self._rows[place].blocks:
            self._change(space, "blocks", blocks)
        held = self._held(space, [record.name for record in records])
        for record in records:
            _, age = (None, None) if record.name in self._removed[place] else held.get(record.name, (None, None))
            self._put[place][record.name] = (next(self._places) if age is None else age, record)
        if held:
            self._over.add(place)

    def remove(self, space: SpaceRow, names: Sequence[str]) -> None:
        self._removed[space.fingerprint] += names

    def rename(self, space: SpaceRow, old: str, new: str) -> None:
        ((_, age),) = self._held(space, [old]).values()
        self._put[space.fingerprint][new] = (age, self.record(space, old)._replace(name=new))
        self._removed[space.fingerprint].append(old)

    def note(self, transfers: Sequence[Transfer]) -> None:
        self._noted += transfers

    def rename_in_transfers(self, old: str, new: str) -> None:
        self._renamed[old] = new

    def commit(self) -> list[Commits]:
        """Store all of it, a table after the other, so that what refers to something comes after it.

        A writer that is killed in between leaves pools and spaces without embeddings, transfers that have the new
        name of what still has the old one, or some spaces of several written; doing the same again completes it.
        """
        done = [*self._commit_pools(), *self._commit_spaces(), *self._commit_transfers()]
        for place in dict.fromkeys([*self._put, *self._removed]):
            done.append(commits := self._commits(vectors_table(self._rows[place])))
            rows, removed = self._put[place], self._removed[place]
            if rows or removed:
                new, anyway = place not in self._over, not rows.keys().isdisjoint(removed)
                commits.put(lambda place=place: self._reader(place), len(rows), removed, new=new, anyway=anyway)
        return done

    def _change(self, space: SpaceRow, field: str, value: Any) -> None:
        self._rows[space.fingerprint] = self._rows[space.fingerprint]._replace(**{field: value})
        self._changed[space.fingerprint].add(field)

    def _commits(self, table: str) -> Commits:
        return Commits(self._connection, table, alone=self._alone)

    def _commit_pools(self) -> Iterator[Commits]:
        if self._pools:
            yield (commits := self._commits(POOLS))
            rows = [{"fingerprint": fingerprint, "rows": packed} for fingerprint, packed in self._pools.items()]
            commits.insert(lambda: self._table(POOLS, rows))

    def _commit_spaces(self) -> Iterator[Commits]:
        """New ones are added; of those that are there, nothing but the columns that change is touched."""
        for fingerprint, fields in self._changed.items():
            yield (commits := self._commits(SPACES))
            space = self._rows[fingerprint]
            identity, options = json.dumps(space.identity.to_dict()), json.dumps(space.options)
            row = {
                "fingerprint": fingerprint, "place": next(self._places), "identity": identity, "options": options,
                "blocks": json.dumps(space.blocks),
            }  # fmt: skip
            added = "identity" in fields and commits.insert(lambda row=row: self._table(SPACES, [row]))
            changed = {"fingerprint": fingerprint} | {key: row[key] for key in sorted(fields - {"identity"})}
            if not added and len(changed) > 1:
                commits.update(lambda changed=changed: self._table(SPACES, [changed]))

    def _commit_transfers(self) -> Iterator[Commits]:
        if not self._noted and not self._renamed:
            return
        yield (commits := self._commits(TRANSFERS))
        if self._renamed:
            there = self._rest(TRANSFERS, "id", "source", "target")
            rows = [self._follow(row) for row in there.drop("_rowid").to_pylist()] if there else []
            changed = [row for row in rows if row is not None]
            if changed:
                commits.update(lambda: self._table(TRANSFERS, changed))
        if self._noted:
            added = [
                {"id": uuid.uuid4().hex, "place": next(self._places), **vars(transfer)} for transfer in self._noted
            ]
            commits.insert(lambda: self._table(TRANSFERS, added))  # by id, so that none is noted twice when retried

    def _follow(self, row: dict[str, Any]) -> dict[str, Any] | None:
        new = row | {side: self._renamed.get(row[side], row[side]) for side in ("source", "target")}
        return None if new == row else new

    def _table(self, table: str, rows: Sequence[Mapping[str, Any]]) -> Any:
        """An Arrow table of the columns that the rows have."""
        schema = schema_of(self._connection.pa, table)
        fields = [field for field in schema if field.name in rows[0]]
        return self._connection.pa.Table.from_pylist(list(rows), schema=self._connection.pa.schema(fields))

    def _reader(self, place: str) -> Any:
        """The records as a stream, so that only some of their vectors are held twice."""
        pa, space, rows = self._connection.pa, self._rows[place], self._put[place]
        if not space.dims:
            raise AtlasError(f"{next(iter(rows))!r} has no numbers, which LanceDB cannot hold; embed it again")
        schema = schema_of(pa, vectors_table(space))
        return pa.RecordBatchReader.from_batches(
            schema, _batches(pa, schema, list(rows.values()), space.dims, self._written)
        )


def _batches(pa: Any, schema: Any, rows: Sequence[tuple[int, Record]], dims: int, written: int) -> Iterator[Any]:
    step = max(1, _AT_ONCE // (4 * dims))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        vectors = np.stack([record.vector for _, record in part])
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        columns = {name: [getattr(record, name, None) for _, record in part] for name in schema.names}
        columns |= {"place": [age for age, _ in part], "written": [written] * len(part), "norm": norms}
        columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dims)
        yield pa.record_batch([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
